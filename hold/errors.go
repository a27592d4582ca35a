package hold

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// Sentinels for errors.Is. All but the last two stand for answers of the service, and the error
// that matches them then also unwraps to the *azcore.ResponseError.
var (
	// ErrHeld: someone else holds the lease. The error is a *HeldError.
	ErrHeld = errors.New("hold: the lease is held by someone else")
	// ErrLost: the lease that was held is not held any more. The error is a *LostError.
	ErrLost = errors.New("hold: the lease is lost")
	// ErrNotFound: the blob or container does not exist.
	ErrNotFound = errors.New("hold: no such blob or container")
	// ErrNotLeased: there is no lease to break.
	ErrNotLeased = errors.New("hold: there is no lease")
	// ErrReleased is the cause of the end of a lock's context after Release.
	ErrReleased = errors.New("hold: the lock was released")
	// ErrHandedOff is the cause of the end of a lock's context after HandOff.
	ErrHandedOff = errors.New("hold: the lock was handed off")
)

// errNoAnswer is the failure of one try whose time is over.
var errNoAnswer = errors.New("no answer in time")

// HeldError says that someone else holds the lease.
type HeldError struct {
	URL    string // of the target, without its query
	State  State  // StateLeased or StateBreaking, or "" when it was not asked for
	Holder *Holder
	// RetryAfter is a guess of when to try again: short while the lease is breaking, else up to a
	// minute. 0: no guess.
	RetryAfter time.Duration
	Err        error // the answer of the service
}

func (e *HeldError) Error() string {
	s := "hold: " + e.URL + " is held"
	if e.Holder != nil {
		s += " by " + e.Holder.String()
	}
	if e.State == StateBreaking {
		s += ", and being broken"
	}
	return s
}

// Is matches ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Unwrap returns the answer of the service.
func (e *HeldError) Unwrap() error { return e.Err }

// Reason is why a lease was lost: one word, which stays the same from version to version, so that
// it can label a metric.
type Reason string

// The reasons.
const (
	ReasonExpired Reason = "expired" // the local deadline passed without a renewal; nothing is known of the store
	ReasonBroken  Reason = "broken"  // by anyone who may write
	ReasonTaken   Reason = "taken"   // it belongs to another ID or to nobody: it expired, or was released or broken, before
	ReasonGone    Reason = "gone"    // the blob or container does not exist any more
	ReasonRefused Reason = "refused" // a condition of the request was not met (412)
)

// sentences say in words why a lease was lost.
var sentences = map[Reason]string{
	ReasonExpired: "could not be renewed in time",
	ReasonBroken:  "was broken",
	ReasonTaken:   "belongs to another ID, or to nobody",
	ReasonGone:    "the blob or container does not exist",
	ReasonRefused: "a condition of the request was refused",
}

// LostError says that a lease is not held any more, and why.
type LostError struct {
	URL     string // of the target, without its query
	Reason  Reason
	Renewed time.Time // when the last successful acquire or renewal was sent; zero if unknown
	Err     error     // the answer of the service, or the last failure before the deadline; may be nil
}

func (e *LostError) Error() string {
	s := fmt.Sprintf("hold: lease on %s lost: %s", e.URL, sentences[e.Reason])
	if e.Reason == ReasonExpired && e.Err != nil {
		s += ": " + firstLine(e.Err)
	}
	return s
}

// Is matches ErrLost.
func (e *LostError) Is(target error) bool { return target == ErrLost }

// Unwrap returns the answer of the service, or nil.
func (e *LostError) Unwrap() error { return e.Err }

// lossOf is rule 3: it names the reason if an answer to renew, change or release says for certain
// that the lease is not ours. Everything else may pass: other statuses come from crowded or broken
// servers, from proxies on the way, and from credentials that will be renewed.
func lossOf(err error) (Reason, bool) {
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return "", false
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return ReasonGone, true
	case http.StatusPreconditionFailed:
		return ReasonRefused, true
	case http.StatusConflict:
		switch bloberror.Code(answer.ErrorCode) {
		case bloberror.LeaseIDMismatchWithLeaseOperation, bloberror.LeaseNotPresentWithLeaseOperation, bloberror.LeaseLost:
			return ReasonTaken, true
		case bloberror.LeaseIsBrokenAndCannotBeRenewed, bloberror.LeaseIsBreakingAndCannotBeChanged,
			bloberror.LeaseIsBreakingAndCannotBeAcquired:
			return ReasonBroken, true
		}
	}
	return "", false
}

// passing reports whether a failure may pass by itself, so that trying again makes sense while
// waiting.
func passing(err error) bool {
	var final interface{ NonRetriable() }
	var answer *azcore.ResponseError
	switch {
	case errors.As(err, &answer):
		s := answer.StatusCode
		return s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooManyRequests ||
			bloberror.HasCode(err, bloberror.ContainerBeingDeleted, bloberror.PendingCopyOperation)
	case errors.As(err, &final):
		return false
	}
	return true
}

// ambiguous reports whether a failed request may have had its effect.
func ambiguous(err error) bool {
	var answer *azcore.ResponseError
	return !errors.As(err, &answer) || answer.StatusCode >= 500
}

// describe turns an answer of the service into an error of this package where it has one.
func (c *Client) describe(op string, err error) error {
	if err == nil {
		return nil
	}
	if bloberror.HasCode(err, bloberror.LeaseAlreadyPresent, bloberror.LeaseIsBreakingAndCannotBeAcquired) {
		return &HeldError{URL: c.t.String(), Err: err}
	}
	if bloberror.HasCode(err, bloberror.LeaseNotPresentWithLeaseOperation) && op == "break" {
		return fmt.Errorf("%w on %s: %w", ErrNotLeased, c.t, err)
	}
	if reason, ok := lossOf(err); ok && op != "acquire" && op != "break" && op != "inspect" && !bloberror.HasCode(err, bloberror.ConditionNotMet) {
		return &LostError{URL: c.t.String(), Reason: reason, Err: err}
	}
	var answer *azcore.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %s: %w", ErrNotFound, c.t, err)
	}
	return fmt.Errorf("hold: %s %s: %w", op, c.t, err)
}

// firstLine shortens the SDK's errors, which run over many lines.
func firstLine(err error) string {
	var answer *azcore.ResponseError
	if _, ours := err.(*LostError); !ours && errors.As(err, &answer) {
		return fmt.Sprintf("%d %s", answer.StatusCode, answer.ErrorCode)
	}
	return err.Error()
}
