package chat

import "errors"

// What the store and the desk may answer. Callers compare with errors.Is.
var (
	// ErrNotFound: no such conversation, message, user.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the conversation changed since it was read; reload and try again.
	ErrConflict = errors.New("the conversation changed meanwhile")
	// ErrLeaseLost: the token is not, or no longer, the holder's.
	ErrLeaseLost = errors.New("the lease is lost")
	// ErrTaken: somebody else holds it.
	ErrTaken = errors.New("already taken")
	// ErrEmpty: nothing is waiting.
	ErrEmpty = errors.New("nothing is waiting")
	// ErrBlocked: the wording may not be sent (an agent's secret request, a threat).
	ErrBlocked = errors.New("this wording may not be sent")
	// ErrTooLong: the text is over the limit.
	ErrTooLong = errors.New("the text is too long")
	// ErrUnavailable: the store cannot write now (down, READONLY, full disk,
	// too slow). The vendor must be told to retry; nothing was acknowledged.
	ErrUnavailable = errors.New("the store cannot be written now")
)

// SendError is why a channel could not deliver a message.
type SendError struct {
	// Certain is false when the request left and no answer came: the message
	// may have arrived and must never be repeated blindly.
	Certain bool
	// Retry is true when the same request may succeed later.
	Retry bool
	// Code is stable and for machines: window_closed, quota_used, blocked,
	// rate_limited, unauthorized, bad_address, too_long, vendor_error, timeout.
	Code string
	// Err is the cause, scrubbed of secrets and personal data.
	Err error
}

func (e *SendError) Error() string {
	if e.Err == nil {
		return "send: " + e.Code
	}
	return "send: " + e.Code + ": " + e.Err.Error()
}

func (e *SendError) Unwrap() error { return e.Err }

// Outcome is the delivery that an error of a send stands for.
func Outcome(err error) Delivery {
	if err == nil {
		return DeliverySent
	}
	var se *SendError
	if errors.As(err, &se) && se.Certain {
		return DeliveryFailed
	}
	return DeliveryUnknown
}
