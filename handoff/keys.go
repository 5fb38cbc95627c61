package handoff

import (
	"strconv"
	"time"

	"wensheng/internal/chat"
)

// Every key of the desk is named here. What belongs to one group carries the
// tag {q:<group>}, what belongs to the agents the tag {agents}; a script
// touches one tag only.

func readyKey(group string) string  { return "{q:" + group + "}:ready" }
func heldKey(group string) string   { return "{q:" + group + "}:held" }
func leasesKey(group string) string { return "{q:" + group + "}:leases" }
func entryKey(group string, conv chat.ConvID) string {
	return "{q:" + group + "}:e:" + string(conv)
}

// entryKeys are the four keys the queue scripts take, in their order.
func entryKeys(group string, conv chat.ConvID) []string {
	return []string{readyKey(group), entryKey(group, conv), heldKey(group), leasesKey(group)}
}

const (
	statusKey    = "{agents}:status"
	infoKey      = "{agents}:info"
	seenKey      = "{agents}:seen"
	lastKey      = "{agents}:last"
	assigningKey = "{agents}:assigning"

	// notesChannel carries every Note of every group.
	notesChannel = "desk:notes"
)

// A place in a queue is a band per priority plus the time of the handoff in
// Unix ms; smaller is nearer. At the front of a priority the time counts from
// so much earlier that every ordinary place is behind it, yet no band overlaps
// another before the year 2200.
const (
	band  = 10_000_000_000_000
	ahead = 7_500_000_000_000 / 3
)

func place(p Priority, at time.Time) (ordinary, front string) {
	n := rank(p)*band + at.UnixMilli()
	return strconv.FormatInt(n, 10), strconv.FormatInt(n-ahead, 10)
}

func rank(p Priority) int64 {
	switch p {
	case P0:
		return 0
	case P1:
		return 1
	case P2:
		return 2
	default:
		return 2
	}
}

// priorityAt is the priority of a place, for an entry whose package cannot be read.
func priorityAt(score float64) Priority {
	switch n := int64(score) + ahead; {
	case n < band:
		return P0
	case n < 2*band:
		return P1
	default:
		return P2
	}
}
