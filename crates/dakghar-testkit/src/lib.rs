//! Development only: builders, a test clock, in-memory ports, conformance suites, real servers.
