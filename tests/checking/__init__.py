"""Tests of the checking stage."""
