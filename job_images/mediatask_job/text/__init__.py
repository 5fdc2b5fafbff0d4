"""Prompt templates and text models."""
