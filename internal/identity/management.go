package identity

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// storageSuffix is the DNS suffix of storage services.
const storageSuffix = "core.windows.net"

// manage adds the parts of a cloud's management endpoint that programs ask for before they use
// storage: the description of the cloud and the list of subscriptions, which is empty.
func (i *Issuer) manage(mux *http.ServeMux) {
	mux.HandleFunc("GET /metadata/endpoints", i.describe)
	mux.HandleFunc("GET /subscriptions", i.subscriptions)
}

// The versions at which the description of the cloud changed its form: to a list of clouds, then to
// a single cloud.
const (
	describesAll = "2019-05-01"
	describesOne = "2022-09-01"
)

// describe answers with the description of the cloud, in the form of the version asked for. Every
// version is answered, because programs go on to newer ones: "az cloud register" asks 2015-01-01,
// Terraform 2022-09-01, OpenTofu 2023-11-01.
func (i *Issuer) describe(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()["api-version"]
	if len(asked) != 1 {
		refuseManagement(w, 400, "MissingApiVersionParameter", "One api-version is needed.")
		return
	}
	version := asked[0]
	if _, err := time.Parse(time.DateOnly, strings.TrimSuffix(version, "-preview")); err != nil {
		refuseManagement(w, 400, "InvalidApiVersionParameter", "The api-version '"+printable(version)+"' is no date.")
		return
	}
	authentication := map[string]any{
		"loginEndpoint": i.Name(), "audiences": []string{i.Base}, "tenant": ADFS, "identityProvider": "ADFS",
	}
	if version < describesAll {
		answer(w, 200, map[string]any{"authentication": authentication, "graphEndpoint": i.Base})
		return
	}
	cloud := map[string]any{
		"name": "Leasehold", "resourceManager": i.Base, "authentication": authentication,
		"microsoftGraphResourceId": i.Base, "suffixes": map[string]string{"storage": storageSuffix},
	}
	if version < describesOne {
		answer(w, 200, []any{cloud})
		return
	}
	answer(w, 200, cloud)
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

// issued reports whether a token was issued here for a resource and is valid now.
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
