package event

// Each entry of the heap has four children: half as deep as with two, and the
// children lie side by side.
const arity = 4

// put writes e to place i, and notes that in its slot.
func (q *Queue) put(i int, e entry) {
	q.heap[i] = e
	q.slots[e.slot].at = uint32(i)
}

// rise puts e at place i or above it.
func (q *Queue) rise(i int, e entry) {
	for i > 0 {
		parent := (i - 1) / arity
		if !e.before(&q.heap[parent]) {
			break
		}
		q.put(i, q.heap[parent])
		i = parent
	}
	q.put(i, e)
}

// sink puts e at place i or below it.
func (q *Queue) sink(i int, e entry) {
	for {
		first := arity*i + 1
		if first >= len(q.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+arity, len(q.heap)); c++ {
			if q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(&e) {
			break
		}
		q.put(i, q.heap[least])
		i = least
	}
	q.put(i, e)
}

// remove takes the entry at place i out.
func (q *Queue) remove(i int) {
	last := len(q.heap) - 1
	e := q.heap[last]
	q.heap = q.heap[:last]
	switch {
	case i == last:
	case i > 0 && e.before(&q.heap[(i-1)/arity]):
		q.rise(i, e)
	default:
		q.sink(i, e)
	}
}
