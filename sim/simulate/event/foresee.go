package event

// ahead is how many events are foreseen at a time, and few how many are not worth it.
const (
	ahead = 32
	few   = 4
)

// foreseeLine tells of the first events of a line, of which none was foreseen.
func (q *Queue) foreseeLine(l *line) {
	l.foreseen = min(l.n, ahead)
	for i := range l.foreseen {
		q.soon[i] = l.ring[(l.head+i)&(len(l.ring)-1)].Event
	}
	q.foresee(q.soon[:l.foreseen])
}

// foreseeHeap tells of events that have come near.
func (q *Queue) foreseeHeap(near []entry) {
	for len(near) >= few {
		n := min(len(near), ahead)
		for i := range n {
			q.soon[i] = q.slots[near[i].slot].Event
		}
		q.foresee(q.soon[:n])
		near = near[n:]
	}
}

// foresee tells each actor of its events.
func (q *Queue) foresee(soon []Event) {
	for i := 0; i < len(soon); {
		actor, first := soon[i].Actor, i
		for i < len(soon) && soon[i].Actor == actor {
			i++
		}
		if s := q.seers[actor]; s != nil {
			s.Foresee(soon[first:i])
		}
	}
}
