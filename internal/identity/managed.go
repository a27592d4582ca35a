package identity

import (
	"net/http"
	"strconv"
	"strings"
)

// ManagedPath is the path of the managed-identity endpoint.
const ManagedPath = "/msi/token"

// managedVersion is the only supported version of the endpoint's protocol.
const managedVersion = "2019-08-01"

// Managed is a managed-identity endpoint in the style of App Service: it issues a principal's token
// to programs that know its header. It speaks plain HTTP, so it belongs on a loopback address.
type Managed struct {
	Issuer  *Issuer
	Header  string // secret that requests carry in X-IDENTITY-HEADER
	Default func() string
}

// ServeHTTP answers one request.
func (m *Managed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent := r.Header.Values("X-Identity-Header")
	query := r.URL.Query()
	switch {
	case r.URL.Path != ManagedPath:
		m.refuse(w, 404, "There is nothing here.")
	case r.Method != http.MethodGet:
		m.refuse(w, 405, "The method must be GET.")
	case m.Header == "" || len(sent) != 1 || equal(sent[0], m.Header) != 1:
		m.refuse(w, 401, "The header X-IDENTITY-HEADER is missing or wrong.")
	case query.Get("api-version") != managedVersion:
		m.refuse(w, 400, "The api-version must be "+managedVersion+".")
	case repeated(query):
		m.refuse(w, 400, "A parameter is given more than once.")
	default:
		m.token(w, query.Get("resource"), query.Get("client_id"), query.Get("object_id")+query.Get("principal_id"))
	}
}

func repeated(query map[string][]string) bool {
	for _, values := range query {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// token answers with a token of the principal named by its client or object ID, or of the default
// one.
func (m *Managed) token(w http.ResponseWriter, asked, clientID, objectID string) {
	resource, ok := m.Issuer.resourceOf(asked)
	if !ok {
		m.refuse(w, 400, "Tokens are issued for storage only.")
		return
	}
	if clientID == "" && objectID == "" {
		clientID = m.Default()
	}
	p := m.Issuer.find(clientID)
	if p == nil {
		for _, one := range m.Issuer.Principals() {
			if objectID != "" && strings.EqualFold(one.ObjectID, objectID) {
				p = &one
			}
		}
	}
	if p == nil {
		m.refuse(w, 400, "There is no such identity.")
		return
	}
	text, end, err := m.Issuer.Token(p, resource, byAssertion)
	if err != nil {
		m.refuse(w, 500, "No token could be signed.")
		return
	}
	answer(w, 200, map[string]any{
		"access_token": text, "expires_on": strconv.FormatInt(end.Unix(), 10), "resource": asked,
		"token_type": "Bearer", "client_id": p.ClientID,
	})
}

func (m *Managed) refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]any{"statusCode": status, "message": text, "correlationId": newGUID()})
}
