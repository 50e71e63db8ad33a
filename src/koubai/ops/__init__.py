"""The operations: each one class, with its forward, its backward and its public function."""
