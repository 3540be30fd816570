"""Starts servers and contenders, drives them with the load generator, and reports what was measured."""
