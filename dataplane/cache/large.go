package cache

import "reflect"

// Large is told, where it is not nil, of large memory that a table gets, before anything is in
// it: a slice of 4 MiB or more. So somebody who may talk to the operating system can ask it for
// large pages. Where each of a million small ones is, a processor does not know by heart, and
// has to look that up in memory, too. It must be set before there are tables.
var Large func(slice any)

// large is so many bytes that at least one page of 2 MiB is among them, wherever they begin.
const large = 4 << 20

// Make returns n zero values, for a table.
func Make[T any](n int) []T {
	s := make([]T, n)
	if Large != nil && uintptr(n)*reflect.TypeFor[T]().Size() >= large {
		Large(s)
	}
	return s
}
