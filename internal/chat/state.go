package chat

import "fmt"

// State is where a Conversation stands (DESIGN §4).
type State string

// The five states.
const (
	StateBot     State = "bot"
	StateWaiting State = "waiting"
	StateServing State = "serving"
	StateOnHold  State = "on_hold"
	StateClosed  State = "closed"
)

// Event is what moves a Conversation from one State to another.
type Event string

// The events. Each is recorded as a system message in the transcript.
const (
	EventHandoff  Event = "handoff"  // the bot gives the conversation to people
	EventClaim    Event = "claim"    // an agent takes it
	EventHold     Event = "hold"     // the agent parks it
	EventResume   Event = "resume"   // the agent, or the contact's next word, takes it off hold
	EventRelease  Event = "release"  // the agent gives it back to the queue
	EventTransfer Event = "transfer" // the agent passes it to another group or agent
	EventLost     Event = "lost"     // the agent's heartbeat stopped past the grace period
	EventClose    Event = "close"    // the agent, the contact or idleness ends it
	EventReopen   Event = "reopen"   // the contact writes again after the close
)

// transitions is the one table of the conversation's life; docs/state_machine.md
// is generated from it.
var transitions = map[State]map[Event]State{
	StateBot: {
		EventHandoff: StateWaiting,
		EventClose:   StateClosed,
	},
	StateWaiting: {
		EventClaim:    StateServing,
		EventTransfer: StateWaiting,
		EventClose:    StateClosed,
	},
	StateServing: {
		EventHold:     StateOnHold,
		EventRelease:  StateWaiting,
		EventTransfer: StateWaiting,
		EventLost:     StateWaiting,
		EventClose:    StateClosed,
	},
	StateOnHold: {
		EventResume:   StateServing,
		EventRelease:  StateWaiting,
		EventTransfer: StateWaiting,
		EventLost:     StateWaiting,
		EventClose:    StateClosed,
	},
	StateClosed: {
		EventReopen: StateBot,
	},
}

// TransitionError says that an event does not apply in a state.
type TransitionError struct {
	From  State
	Event Event
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("conversation is %s: %s does not apply", e.From, e.Event)
}

// Next returns the state that event leads to, or a *TransitionError.
func (s State) Next(event Event) (State, error) {
	to, ok := transitions[s][event]
	if !ok {
		return s, &TransitionError{From: s, Event: event}
	}
	return to, nil
}

// Held reports whether an agent holds a conversation in this state.
func (s State) Held() bool { return s == StateServing || s == StateOnHold }

// States returns every state in the order of a conversation's life.
func States() []State {
	return []State{StateBot, StateWaiting, StateServing, StateOnHold, StateClosed}
}

// Events returns every event.
func Events() []Event {
	return []Event{
		EventHandoff, EventClaim, EventHold, EventResume, EventRelease,
		EventTransfer, EventLost, EventClose, EventReopen,
	}
}
