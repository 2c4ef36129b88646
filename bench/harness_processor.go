package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// processorTimes returns how long all processors of the machine together have been idle,
// waiting for disks included, and how long there have been processors, in steps of a
// hundredth of a second.
func processorTimes() (idle, total time.Duration, err error) {
	const tick = time.Second / 100 // of /proc/stat, by proc_stat(5)
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for i, field := range fields[1:9] { // guests' time is in user's, too
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat begins with %q: %w", line, err)
		}
		total += time.Duration(n) * tick
		if i == 3 || i == 4 {
			idle += time.Duration(n) * tick
		}
	}
	return idle, total, nil
}
