package netns

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/plsim/plsim/dataplane/cache"
)

// TestBackTables: the kernel knows that it may back a large table with large pages.
func TestBackTables(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no large pages: ", err)
	}
	BackTables()
	defer func() { cache.Large = nil }()
	table := cache.Make[uint64](1 << 20)
	if flags := flagsOf(t, uintptr(unsafe.Pointer(&table[len(table)/2]))); !strings.Contains(flags, " hg") {
		t.Errorf("the memory of a large table has the flags %q, without hg", flags)
	}
	table[0] = 1 // so that it lives until here
}

// flagsOf returns what the kernel says of the mapping around an address (proc_pid_smaps(5)).
func flagsOf(t *testing.T, at uintptr) string {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	here := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			here = from <= at && at < to
		}
		if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && here {
			return flags
		}
	}
	t.Fatal("the kernel says nothing of it")
	return ""
}
