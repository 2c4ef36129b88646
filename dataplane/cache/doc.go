// Package cache brings memory into the processor's cache before it is needed. What is spread over
// large tables comes from afar, and whoever knows early what he will look at
// in several of their places can have all of it on its way at the same time.
package cache
