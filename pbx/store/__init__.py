"""The journal of events, the call records made from it, and the only SQL of the project. See README.md."""
