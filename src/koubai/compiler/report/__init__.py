"""The compiler, made visible: what a program consists of, its stages as texts, its times."""
