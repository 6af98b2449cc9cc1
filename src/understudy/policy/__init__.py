"""Decisions, pure: time, health and chance are passed in, nothing is awaited."""
