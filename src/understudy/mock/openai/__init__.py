"""What OpenAI's two APIs, chat completions and Responses, have in common."""
