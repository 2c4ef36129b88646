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

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/flowlogs"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/report"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// outFlags say what a run keeps.
type outFlags struct {
	dir string // "": nothing
	log logKind
}

// register makes the flags known to a command; what says what is kept.
func (o *outFlags) register(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&o.dir, "out", "", what)
	cmd.Flags().Var(&o.log, "flow-log", "flow logs to keep: what AWS records, or every hop as well")
}

// whole returns the whole path of the directory; "" where there is none.
func (o *outFlags) whole() (string, error) {
	if o.dir == "" {
		return "", nil
	}
	return filepath.Abs(o.dir)
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

// outSeen makes sure that the sandbox has the directory of --out, and not one of its own.
func outSeen(dir string) error {
	if dir == "" {
		return nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("--out %s cannot be seen from within the lab, which has a /dev/shm and a /proc of its own: name a directory elsewhere", dir)
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
	// prompt is whether each event is in its file at once, for those who watch.
	prompt bool

	mu     sync.Mutex // guards what follows
	events *os.File
	buffer *bufio.Writer
	fault  error // of the events
}

// eventsName is the file of all that has happened, a JSON document a line.
const eventsName = "events.jsonl"

// openArchive opens the files of a lab in a directory, which it makes where it is not
// there. It returns nil where nothing is to be kept.
func openArchive(dir string, lab *topology.Lab, log logKind) (*archive, error) {
	if dir == "" {
		return nil, nil
	}
	k := &archive{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if k.logs, err = flowlogs.NewWriter(k.dir, lab.Region, lab.EveryLog(), log == fullLog); err != nil {
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
	if k.fault == nil && k.prompt {
		k.fault = k.buffer.Flush()
	}
}

// step keeps that a step was taken in a world.
func (k *archive) step(w world, sr story.StepResult) {
	k.event(w.Event(live.StepEvent, fmt.Sprintf("%d %s", sr.Number, sr.Name), string(sr.Verdict)))
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

// close completes the files.
func (k *archive) close() error {
	if k == nil {
		return nil
	}
	var errs []error
	if k.logs != nil {
		errs = append(errs, k.logs.Close())
	}
	if k.events != nil {
		errs = append(errs, k.fault, k.buffer.Flush(), k.events.Close())
	}
	return errors.Join(errs...)
}

// keepResult writes a *story.Result or a *story.Summary, unless dir is "".
func keepResult[R *story.Result | *story.Summary](dir string, res R) error {
	if dir == "" {
		return nil
	}
	f, err := os.Create(filepath.Join(dir, "result.json"))
	if err != nil {
		return err
	}
	return errors.Join(report.JSON(f, res), f.Close())
}
