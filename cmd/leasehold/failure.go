package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/spf13/cobra"

	"github.com/leasehold/leasehold/hold"
)

// status adds the exit status to an error of a client command.
func status(err error) error {
	var e *exitError
	if err == nil || errors.As(err, &e) {
		return err
	}
	var response *azcore.ResponseError
	code := exitUnreachable
	switch {
	case errors.Is(err, hold.ErrHeld):
		code = exitNotAcquired
	case errors.Is(err, hold.ErrLost):
		code = exitLost
	case errors.Is(err, hold.ErrNotFound):
		code = exitNotFound
	case errors.Is(err, context.Canceled):
		code = exitInterrupted
	case errors.As(err, &response):
		switch response.StatusCode {
		case 401, 403:
			code = exitNotPermitted
		case 404:
			code = exitNotFound
		case 409, 412:
			code = exitNotAcquired
		case 400:
			code = exitUsage
		}
	}
	return &exitError{code, err}
}

// report prints why a command failed: one line, or with --verbose all that is known.
func report(w io.Writer, cmd *cobra.Command, err error) {
	if verbose, _ := cmd.Flags().GetBool("verbose"); verbose {
		fmt.Fprintf(w, "leasehold: %v\n", err)
		return
	}
	fmt.Fprintf(w, "leasehold: %s\n", brief(cmd, err))
}

// brief returns an error without the exchange that the Azure SDK adds to it.
func brief(cmd *cobra.Command, err error) string {
	var response *azcore.ResponseError
	if errors.As(err, &response) && !errors.Is(err, hold.ErrHeld) && !errors.Is(err, hold.ErrLost) {
		return briefResponse(cmd, response)
	}
	var e *exitError
	if !errors.As(err, &e) || e.status != exitUnreachable {
		return err.Error()
	}
	// Failures of the network and of credentials name the cause first; advice and traces follow.
	text, _, more := strings.Cut(err.Error(), "\n")
	if more {
		text = strings.TrimRight(text, " :") + " (--verbose shows more)"
	}
	return text
}

// briefResponse says what was refused on which resource, with the code and the ID of the request.
func briefResponse(cmd *cobra.Command, e *azcore.ResponseError) string {
	at, id := "the store", ""
	if r := e.RawResponse; r != nil {
		if r.Request != nil && r.Request.URL != nil {
			u := *r.Request.URL
			u.RawQuery, u.User = "", nil // a query may hold a signature
			at = u.String()
		}
		if v := r.Header.Get("x-ms-request-id"); v != "" {
			id = ", request " + v
		}
	}
	code := bloberror.Code(e.ErrorCode)
	what, hint := message(e), ""
	switch code {
	case bloberror.ContainerNotFound:
		what = "the container does not exist"
	case bloberror.BlobNotFound:
		what = "the blob does not exist"
	case bloberror.AuthenticationFailed:
		if name, ok := signingAccount(); ok {
			what = "the key does not fit account " + name
		}
	}
	if (code == bloberror.ContainerNotFound || code == bloberror.BlobNotFound) && cmd.Flags().Lookup("create") != nil {
		hint = "; --create makes it"
	}
	return fmt.Sprintf("%s: %s (%d %s%s)%s", at, what, e.StatusCode, e.ErrorCode, id, hint)
}

// message returns the first sentence of the error document, or a general one if there is none, as
// after HEAD.
func message(e *azcore.ResponseError) string {
	var doc struct{ Message string }
	if e.RawResponse != nil && e.RawResponse.Body != nil {
		if body, err := runtime.Payload(e.RawResponse); err == nil && xml.Unmarshal(body, &doc) == nil {
			if line, _, _ := strings.Cut(strings.TrimSpace(doc.Message), "\n"); line != "" {
				return strings.TrimSuffix(strings.TrimSpace(line), ".")
			}
		}
	}
	return "the request was refused"
}

// signingAccount returns the account in the environment if requests are signed with its key.
func signingAccount() (name string, ok bool) {
	p, named, err := placeFromEnv(os.Getenv)
	if err != nil || !named || p.key == nil {
		return "", false
	}
	return p.key.AccountName(), true
}

// heldBy describes the holder of a lease on one line, in the words of the server and of the holder.
func heldBy(i *hold.Info) string {
	var words []string
	if i.Holder != nil {
		words = append(words, "held by "+i.Holder.String())
	}
	if o := i.Observed; o != nil {
		words = append(words, fmt.Sprintf("acquired with %s from %s at %s", o.Principal, o.Address, o.Since.Local().Format("2006-01-02 15:04:05")))
	}
	if i.Infinite {
		words = append(words, "without an end")
	}
	if words == nil {
		words = append(words, "held by someone else")
	}
	return strings.Join(words, ", ")
}

// heldError is the failure to acquire a lease that someone else holds.
type heldError struct {
	text string
	err  error
}

func (e *heldError) Error() string { return e.text }
func (e *heldError) Unwrap() error { return e.err }

// explainHeld adds the holder to an error for which somebody else's lease is to blame.
func explainHeld(ctx context.Context, cmd *cobra.Command, c *hold.Client, err error) error {
	if !errors.Is(err, hold.ErrHeld) {
		return err
	}
	text := c.Target().String() + " is leased"
	if i, e := c.Inspect(ctx); e == nil && i.State.Locked() {
		text += ", " + heldBy(&i)
	}
	if f := cmd.Flags().Lookup("wait"); f != nil && !f.Changed {
		text += "; wait for it with --wait 5m"
	}
	return &heldError{text, err}
}
