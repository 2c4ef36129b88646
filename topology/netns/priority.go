package netns

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// precedence is the nice value of the thread that moves packets.
const precedence = -10

// Prioritize locks the calling goroutine to its thread and gives that precedence
// over the instances' programs: the fabric stands for hardware, which does not
// queue for a processor behind those that it serves. Where the caller lacks the
// right to it, all stays as it is.
func Prioritize() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), precedence)
	// Where the kernel shares out time by session first, which it does by
	// default, a nice value counts among a session's own threads only.
	_ = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(precedence)), 0)
}
