package netns

import (
	"reflect"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/dataplane/cache"
)

// BackTables has large tables backed by large pages of memory, where the kernel grants them on
// demand. It must be called before there are tables; memory that is in use stays as it is.
func BackTables() { cache.Large = askForLargePages }

// askForLargePages asks for large pages behind a slice that is not in use yet. Where the kernel
// refuses, they are small.
func askForLargePages(slice any) {
	v := reflect.ValueOf(slice)
	memory := unsafe.Slice((*byte)(v.UnsafePointer()), v.Len()*int(v.Type().Elem().Size()))
	_ = unix.Madvise(memory, unix.MADV_HUGEPAGE)
}
