// Package flowlogs writes flow logs to files as AWS delivers them to S3, and reads
// such files, AWS's own included.
package flowlogs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

// The files that people read, in a run's directory.
const (
	TextName     = "flowlogs.txt"      // what AWS would have on record
	CompleteName = "flowlogs-full.txt" // every hop
)

// readable are the fields of the files that people read.
var readable = flowlog.Format{
	"start", "end", "plsim-interface", "interface-id", "flow-direction", "action", "protocol", "srcaddr", "srcport",
	"dstaddr", "dstport", "packets", "bytes", "tcp-flags", "log-status", "plsim-reason", "plsim-guard",
}

// Writer writes a lab's flow logs below a directory, which stands for the bucket.
// It has one user at a time.
type Writer struct {
	logs     []*stream
	text     *sheet
	complete *sheet // nil where it is not asked for
}

// NewWriter returns a writer for flow logs below a directory, which must exist.
// complete also asks for a file with every hop.
func NewWriter(dir, region string, logs []*topology.FlowLog, complete bool) (*Writer, error) {
	w := &Writer{}
	for _, l := range logs {
		w.logs = append(w.logs, &stream{dir: dir, region: region, log: l, open: make(map[int64]*file)})
	}
	var err error
	if w.text, err = newSheet(filepath.Join(dir, TextName), readable); err != nil {
		return nil, err
	}
	if complete {
		f := append(flowlog.Format{"plsim-flow", "plsim-hop", "plsim-visible"}, readable...)
		if w.complete, err = newSheet(filepath.Join(dir, CompleteName), f); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Deliver writes the records of windows of one length that ended before a moment in
// Unix seconds, and completes the files of periods that ended before it. A record that
// comes later all the same has a file of its own.
func (w *Writer) Deliver(window time.Duration, records []flowlog.Record, until int64) error {
	for _, s := range w.logs {
		if s.log.Window != window {
			continue
		}
		for i := range records {
			if r := &records[i]; s.log.Logs(r) {
				if err := s.add(r); err != nil {
					return err
				}
			}
		}
		if err := s.finish(until); err != nil {
			return err
		}
	}
	if window != flowlog.ShortWindow {
		return nil
	}
	return w.show(records)
}

// show writes the records for people: hop by hop where all are wanted.
func (w *Writer) show(records []flowlog.Record) error {
	for i := range records {
		r := &records[i]
		logged := func(s *stream) bool { return s.log.Logs(r) }
		if r.Status != flowlog.NoData && slices.ContainsFunc(w.logs, logged) {
			w.text.add(r)
		}
	}
	err := w.text.flush()
	if w.complete == nil {
		return err
	}
	all := slices.Clone(records)
	slices.SortStableFunc(all, func(a, b flowlog.Record) int {
		return cmp.Or(cmp.Compare(a.FlowID, b.FlowID), cmp.Compare(a.Hop, b.Hop))
	})
	for i := range all {
		if all[i].Status != flowlog.NoData {
			w.complete.add(&all[i])
		}
	}
	return errors.Join(err, w.complete.flush())
}

// Close completes all files.
func (w *Writer) Close() error {
	var errs []error
	for _, s := range w.logs {
		errs = append(errs, s.finish(1<<62))
	}
	errs = append(errs, w.text.close())
	if w.complete != nil {
		errs = append(errs, w.complete.close())
	}
	return errors.Join(errs...)
}

// period is the time whose records go into one file (F4.22).
const period = 5 * 60

// stream is a flow log on its way into files.
type stream struct {
	dir, region string
	log         *topology.FlowLog
	open        map[int64]*file // by the Unix second in which their period begins
	written     int
}

// add writes a record to the file of the period in which it ends (F4.23).
func (s *stream) add(r *flowlog.Record) error {
	begin := r.End - r.End%period
	f := s.open[begin]
	if f == nil {
		dir := filepath.Join(s.dir, s.folder(begin))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		s.written++
		name := filepath.Join(dir, s.name(begin, s.written))
		var err error
		if f, err = newFile(name, s.log); err != nil {
			return fmt.Errorf("write flow log %s: %w", s.log.Name, err)
		}
		s.open[begin] = f
	}
	if err := f.add(r); err != nil {
		return fmt.Errorf("write flow log %s: %w", s.log.Name, err)
	}
	return nil
}

// finish completes the files whose period has passed.
func (s *stream) finish(now int64) error {
	var errs []error
	for begin, f := range s.open {
		if begin+period <= now {
			errs = append(errs, f.close())
			delete(s.open, begin)
		}
	}
	return errors.Join(errs...)
}
