package live

import (
	"errors"
	"slices"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

// Renewal makes of a lab the one that is to take its place, and lists what changes.
type Renewal func(*topology.Lab) (*topology.Lab, []topology.Change, error)

// Become makes the lab another one, all at once for packets. Where that fails, it is as it
// was; undo brings it back to that later.
func (l *Lab) Become(renew Renewal) (undo func() error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	elapsed := l.lab.Advance(l.now())
	next, changes, err := renew(l.lab)
	if err != nil {
		if elapsed {
			err = errors.Join(err, l.load())
		}
		return nil, err
	}
	was := l.lab.Snapshot()
	l.lab.Become(next, changes)
	if err := l.load(); err != nil {
		l.lab.Revert(was)
		return nil, errors.Join(err, l.load())
	}
	l.logs.follow(l.lab)
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lab.Revert(was)
		return l.load()
	}, nil
}

// follow sums up over the windows that flow logs have got.
func (l *logs) follow(lab *topology.Lab) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silence = l.silence || len(lab.FlowLogs) > 0
	for _, window := range lab.LogWindows() {
		if !slices.Contains(l.windows, window) {
			l.windows = append(l.windows, window)
			l.sums = append(l.sums, flowlog.NewAggregator(window, l.began, 0))
			l.kept = append(l.kept, nil)
		}
	}
}
