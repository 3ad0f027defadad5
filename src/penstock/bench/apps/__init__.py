"""The pipelines that are measured: ordinary apps, one file each, started as ``python <file>``."""
