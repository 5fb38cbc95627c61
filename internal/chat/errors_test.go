package chat_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"wensheng/internal/chat"
)

func TestOutcome_OnlyWhatCertainlyFailedIsFailed(t *testing.T) {
	t.Parallel()
	certain := &chat.SendError{Certain: true, Code: "window_closed"}
	for _, c := range []struct {
		name string
		err  error
		want chat.Delivery
	}{
		{"no error", nil, chat.DeliverySent},
		{"certain", certain, chat.DeliveryFailed},
		{"certain and wrapped", fmt.Errorf("send: %w", certain), chat.DeliveryFailed},
		{"certain, may be tried again", &chat.SendError{Certain: true, Retry: true}, chat.DeliveryFailed},
		{"not certain", &chat.SendError{Code: "timeout"}, chat.DeliveryUnknown},
		{"not certain with retry", &chat.SendError{Retry: true}, chat.DeliveryUnknown},
		{"somebody else's", context.DeadlineExceeded, chat.DeliveryUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := chat.Outcome(c.err); got != c.want {
				t.Errorf("outcome of %v is %s, want %s", c.err, got, c.want)
			}
		})
	}
}

func TestSendError_KeepsItsCause(t *testing.T) {
	t.Parallel()
	e := &chat.SendError{Code: "timeout", Err: context.DeadlineExceeded}
	if !errors.Is(e, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
	if got, want := e.Error(), "send: timeout: context deadline exceeded"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	if got, want := (&chat.SendError{Code: "blocked"}).Error(), "send: blocked"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestUser_HasAnyOfTheRoles(t *testing.T) {
	t.Parallel()
	u := chat.User{Roles: []chat.UserRole{chat.RoleUserAgent, chat.RoleUserEditor}}
	if !u.Has(chat.RoleUserAdmin, chat.RoleUserEditor) {
		t.Error("one of two roles is not found")
	}
	if u.Has(chat.RoleUserAdmin) || u.Has() {
		t.Error("a role is found that is not there")
	}
}
