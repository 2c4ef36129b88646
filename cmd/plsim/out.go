package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/flowlogs"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
)

// outFlags say what a run keeps.
type outFlags struct {
	dir string // "": nothing
	log logKind
}

// logKind is the value of --flow-log.
type logKind string

const (
	awsLog  logKind = "aws"
	fullLog logKind = "full"
)

func (k *logKind) String() string { return string(*k) }
func (k *logKind) Type() string   { return "aws|full" }

func (k *logKind) Set(s string) error {
	if s != string(awsLog) && s != string(fullLog) {
		return errors.New("want aws, for what AWS records, or full, for every hop as well")
	}
	*k = logKind(s)
	return nil
}

// prepare makes the directory on the host, where it must be empty: the logs of two
// runs would be taken for one. It returns the topmost directory that it had to make.
func (o *outFlags) prepare() (made string, err error) {
	switch {
	case o.dir == "" && o.log == fullLog:
		return "", errors.New("--flow-log full needs --out: say where to keep the log")
	case o.dir == "":
		return "", nil
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		made = firstMissing(dir)
		return made, os.MkdirAll(dir, 0o755)
	case err != nil:
		return "", err
	case len(entries) > 0:
		return "", fmt.Errorf("--out %s is not empty: name a new directory, so that the files of two runs do not mix", o.dir)
	}
	return dir, nil
}

// firstMissing returns the topmost directory on the way to dir that does not exist.
func firstMissing(dir string) string {
	for {
		parent := filepath.Dir(dir)
		if _, err := os.Stat(parent); err == nil || parent == dir {
			return dir
		}
		dir = parent
	}
}

// seen makes sure that the sandbox has the directory, and not one of its own.
func (o *outFlags) seen() error {
	if o.dir == "" {
		return nil
	}
	if info, err := os.Stat(o.dir); err != nil || !info.IsDir() {
		return fmt.Errorf("--out %s cannot be seen from within the lab, which has a /dev/shm and a /proc of its own: name a directory elsewhere", o.dir)
	}
	return nil
}

// handOver gives what root has written below a directory to the user who called
// sudo.
func handOver(dir string) error {
	uid, isUser := sudoID("SUDO_UID")
	gid, hasGroup := sudoID("SUDO_GID")
	if dir == "" || os.Geteuid() != 0 || !isUser || !hasGroup {
		return nil // they are the caller's
	}
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, uid, gid)
	})
}

func sudoID(variable string) (id int, ok bool) {
	id, err := strconv.Atoi(os.Getenv(variable))
	return id, err == nil
}

// archive is the directory of one scenario's files.
type archive struct {
	dir  string
	logs *flowlogs.Writer

	mu     sync.Mutex // guards what follows
	events *os.File
	buffer *bufio.Writer
	fault  error // of the events
}

// eventsName is the file of all that has happened, a JSON document a line.
const eventsName = "events.jsonl"

// keep opens the files of a scenario in a directory, which it makes where it is not
// there. It returns nil where nothing is to be kept.
func (r *runner) keep(s source, dir string) (*archive, error) {
	if dir == "" {
		return nil, nil
	}
	k := &archive{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if k.logs, err = flowlogs.NewWriter(k.dir, s.Lab.Region, s.Lab.EveryLog(), r.flags.out.log == fullLog); err != nil {
		return k, err
	}
	k.events, err = os.Create(filepath.Join(k.dir, eventsName))
	k.buffer = bufio.NewWriter(k.events)
	return k, err
}

// event keeps what has happened. It may be called from any goroutine, and for a k that
// is nil.
func (k *archive) event(e live.Event) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fault == nil {
		k.fault = json.NewEncoder(k.buffer).Encode(e)
	}
}

// capture keeps what a capture has come to, in a file for Wireshark.
func (k *archive) capture(r live.Recording) error {
	dir := filepath.Join(k.dir, "captures")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, r.Name+".pcapng"))
	if err != nil {
		return err
	}
	comment := ""
	if r.Missed > 0 {
		comment = fmt.Sprintf("%d more packets had no room in memory", r.Missed)
	}
	buffer := bufio.NewWriter(f)
	w := capture.NewPcapng(buffer, r.Began, comment)
	for _, name := range r.Interfaces {
		w.Interface(name)
	}
	for i := range r.Packets {
		w.Packet(&r.Packets[i])
	}
	return errors.Join(w.Close(), buffer.Flush(), f.Close())
}

// close completes the files; the result is among them.
func (k *archive) close(res *story.Result) error {
	if k == nil {
		return nil
	}
	errs := []error{k.logs.Close(), keepResult(k.dir, res)}
	if k.events != nil {
		errs = append(errs, k.fault, k.buffer.Flush(), k.events.Close())
	}
	return errors.Join(errs...)
}

// keepResult writes a *story.Result or a *story.Summary.
func keepResult[R *story.Result | *story.Summary](dir string, res R) error {
	f, err := os.Create(filepath.Join(dir, "result.json"))
	if err != nil {
		return err
	}
	return errors.Join(report.JSON(f, res), f.Close())
}
