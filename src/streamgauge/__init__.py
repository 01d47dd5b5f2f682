"""Measures every streamed LLM answer and says how it really ended."""
