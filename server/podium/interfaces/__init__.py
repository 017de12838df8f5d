"""The ways in; none knows another."""
