package identity

import (
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// storageSuffix is what the names of storage services end with.
const storageSuffix = "core.windows.net"

// manage adds what programs ask of the management endpoint of a cloud before they turn to
// storage: the description of the cloud, and the subscriptions, of which there are none.
func (i *Issuer) manage(mux *http.ServeMux) {
	mux.HandleFunc("GET /metadata/endpoints", i.describe)
	mux.HandleFunc("GET /subscriptions", i.subscriptions)
}

// describe answers with the description of the cloud, in the form of the version asked for.
// 2015-01-01 is what "az cloud register" asks, 2022-09-01 what Terraform does.
func (i *Issuer) describe(w http.ResponseWriter, r *http.Request) {
	authentication := map[string]any{
		"loginEndpoint": i.Name(), "audiences": []string{i.Base}, "tenant": ADFS, "identityProvider": "ADFS",
	}
	switch version := r.URL.Query().Get("api-version"); version {
	case "2015-01-01":
		answer(w, 200, map[string]any{"authentication": authentication, "graphEndpoint": i.Base})
	case "2022-09-01":
		answer(w, 200, map[string]any{
			"name": "Leasehold", "resourceManager": i.Base, "authentication": authentication,
			"microsoftGraphResourceId": i.Base, "suffixes": map[string]string{"storage": storageSuffix},
		})
	default:
		refuseManagement(w, 400, "InvalidApiVersionParameter",
			"The api-version '"+printable(version)+"' is not known; 2015-01-01 and 2022-09-01 are.")
	}
}

// subscriptions lists the subscriptions that the bearer of a token may use.
func (i *Issuer) subscriptions(w http.ResponseWriter, r *http.Request) {
	text, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || !i.issued(text, i.Base) {
		w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="`+i.AuthorizationURI()+`", error="invalid_token"`)
		refuseManagement(w, 401, "AuthenticationFailed", "A token for "+i.Base+" is needed.")
		return
	}
	answer(w, 200, map[string]any{"value": []any{}})
}

// issued reports whether a token comes from this issuer, is meant for a resource, and is
// good now.
func (i *Issuer) issued(text, resource string) bool {
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return false
	}
	var c jwt.Claims
	return token.Claims(&i.Key.public, &c) == nil && c.Issuer == i.Name() && c.Audience.Contains(resource) && i.current(c)
}

func refuseManagement(w http.ResponseWriter, status int, code, text string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": text}})
}
