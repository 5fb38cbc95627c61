package chat_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"wensheng/internal/chat"
)

var update = flag.Bool("update", false, "write docs/state_machine.md anew")

const statesPage = "../../docs/state_machine.md"

// meaning is what the page says of each state and event, in a person's words.
var (
	stateMeaning = map[chat.State]string{
		chat.StateBot:     "The bot answers.",
		chat.StateWaiting: "In a group's queue; the contact has a receipt number.",
		chat.StateServing: "One agent holds it by a lease.",
		chat.StateOnHold:  "The same agent holds it and has put it aside.",
		chat.StateClosed:  "Over; archived, and live for as long as it can be reopened.",
	}
	eventMeaning = map[chat.Event]string{
		chat.EventHandoff:  "The bot gives the conversation to people.",
		chat.EventClaim:    "An agent takes it, or the desk assigns it.",
		chat.EventHold:     "The agent puts it aside.",
		chat.EventResume:   "The agent, or the contact's next word, takes it up again.",
		chat.EventRelease:  "The agent gives it back to the front of its queue.",
		chat.EventTransfer: "It goes to another group, or to another agent.",
		chat.EventLost:     "The holder's heartbeat stopped for longer than lease and grace.",
		chat.EventClose:    "The agent, a supervisor, the contact or idleness ends it.",
		chat.EventReopen:   "The contact writes again within the reopen window, or rates it 1 or 2.",
	}
)

// page renders docs/state_machine.md from the table.
func page() string {
	var b strings.Builder
	b.WriteString(`# States of a conversation

This page is generated from the table in ` + "`internal/chat/state.go`" + ` by
` + "`go test ./internal/chat -update`" + `; a test keeps it true. Nothing else decides what may follow what. The store hands its
scripts the rows of the table; only ` + "`accept.lua`" + ` names the two that a contact's own word makes, resume and
reopen. Every transition is a hidden system message in the transcript, so one timeline tells the story.

` + "```mermaid\nstateDiagram-v2\n    [*] --> bot\n")
	for _, from := range chat.States() {
		to := map[chat.State][]string{}
		for _, e := range chat.Events() {
			if next, err := from.Next(e); err == nil {
				to[next] = append(to[next], string(e))
			}
		}
		for _, next := range chat.States() {
			if events := to[next]; len(events) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", from, next, strings.Join(events, ", "))
			}
		}
	}
	b.WriteString("    closed --> [*]\n```\n\n| event | " + joined(chat.States(), " | ") + " | meaning |\n|---|" +
		strings.Repeat("---|", len(chat.States())) + "---|\n")
	for _, e := range chat.Events() {
		fmt.Fprintf(&b, "| %s |", e)
		for _, from := range chat.States() {
			next, err := from.Next(e)
			if err != nil {
				next = "–"
			}
			fmt.Fprintf(&b, " %s |", next)
		}
		fmt.Fprintf(&b, " %s |\n", eventMeaning[e])
	}
	b.WriteString("\nA dash means that the event does not apply: the caller gets a `TransitionError`, the API answers 409\n" +
		"with the code `bad_state`, and nothing changes.\n\n| state | meaning | held by an agent |\n|---|---|---|\n")
	for _, s := range chat.States() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s, stateMeaning[s], map[bool]string{true: "yes", false: "no"}[s.Held()])
	}
	return b.String()
}

func joined(states []chat.State, sep string) string {
	words := make([]string, 0, len(states))
	for _, s := range states {
		words = append(words, string(s))
	}
	return strings.Join(words, sep)
}

func TestState_PageIsUpToDate(t *testing.T) {
	t.Parallel()
	want := page()
	if *update {
		if err := os.WriteFile(statesPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(statesPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/state_machine.md is not what the table says; run: go test ./internal/chat -update")
	}
}

func TestState_EverythingHasAMeaning(t *testing.T) {
	t.Parallel()
	if got, want := len(stateMeaning), len(chat.States()); got != want {
		t.Errorf("%d states have a meaning, want %d", got, want)
	}
	for _, s := range chat.States() {
		if stateMeaning[s] == "" {
			t.Errorf("state %s has no meaning", s)
		}
	}
	if got, want := len(eventMeaning), len(chat.Events()); got != want {
		t.Errorf("%d events have a meaning, want %d", got, want)
	}
	for _, e := range chat.Events() {
		if eventMeaning[e] == "" {
			t.Errorf("event %s has no meaning", e)
		}
	}
}

// TestState_RandomLivesKeepToTheRules plays random events against the table and
// holds every step to what must be true whatever the table says.
func TestState_RandomLivesKeepToTheRules(t *testing.T) {
	t.Parallel()
	const lives, steps = 2000, 50
	rng := rand.New(rand.NewPCG(1, 2))
	events := append(chat.Events(), "", "explode")
	seen := map[chat.State]bool{}
	for life := range lives {
		s := chat.StateBot
		path := []string{string(s)}
		for range steps {
			e := events[rng.IntN(len(events))]
			next, err := s.Next(e)
			path = append(path, string(e), string(next))
			if broken := brokenRule(s, e, next, err); broken != "" {
				t.Fatalf("life %d: %s: %s", life, broken, strings.Join(path, " "))
			}
			s = next
			seen[s] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(seen)), slices.Sorted(slices.Values(chat.States())); !slices.Equal(got, want) {
		t.Errorf("random lives reached %v, want all of %v", got, want)
	}
}

// brokenRule names the rule that a step breaks, or returns "".
func brokenRule(from chat.State, e chat.Event, to chat.State, err error) string {
	if err != nil {
		var te *chat.TransitionError
		switch {
		case !errors.As(err, &te) || te.From != from || te.Event != e:
			return "the error does not say what was refused"
		case to != from:
			return "a refused event moved the state"
		case e == chat.EventClose && from != chat.StateClosed:
			return "an open conversation cannot be ended"
		}
		return ""
	}
	switch {
	case !slices.Contains(chat.Events(), e):
		return "an unknown event was taken"
	case !slices.Contains(chat.States(), to):
		return "the state is none of ours"
	case to.Held() && !from.Held() && e != chat.EventClaim:
		return "an agent got it without a claim"
	case from.Held() && to == chat.StateBot:
		return "the bot took it from an agent"
	case (to == chat.StateClosed) != (e == chat.EventClose):
		return "closed is not what close does"
	case from == chat.StateClosed && e != chat.EventReopen:
		return "a closed one was moved without being reopened"
	case to == chat.StateWaiting && from == chat.StateBot && e != chat.EventHandoff:
		return "it waits without a handoff"
	}
	return ""
}

func TestState_UnknownStatesGoNowhere(t *testing.T) {
	t.Parallel()
	for _, s := range []chat.State{"", "BOT", "bot ", "archived"} {
		for _, e := range chat.Events() {
			if next, err := s.Next(e); err == nil || next != s {
				t.Errorf("state %q takes %s to %q, error %v", s, e, next, err)
			}
		}
		if s.Held() {
			t.Errorf("state %q counts as held", s)
		}
	}
}
