"""What can go wrong with an answer, a family a file; `understudy.mock.catalogue` lists it all."""
