package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leasehold/leasehold/internal/auth"
)

// sasVersion is the version of the signatures that are made.
const sasVersion = "2022-11-02"

// maxSASHours bounds how long a signature that the console makes is good.
const maxSASHours = 24 * 7

// connect says how clients reach the account.
func (v *view) connect() error {
	endpoint := v.Endpoint + "/" + v.session.account
	data := map[string]any{"Endpoint": endpoint, "Dev": v.session.dev}
	if v.session.dev {
		data["Connection"] = fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s;", v.session.account, v.DevKey, endpoint)
	}
	return v.render("connect.html", data)
}

// access says what the viewer may do, and offers to make a signature.
func (v *view) access() error {
	return v.render("access.html", v.accessPage(nil))
}

// question is one thing that the viewer may do or not.
type question struct {
	What string
	May  bool
}

func (v *view) accessPage(more map[string]any) map[string]any {
	container := strings.TrimSpace(v.r.URL.Query().Get("container"))
	var all []question
	for _, q := range []struct {
		what string
		need auth.Permission
		on   auth.Resource
	}{
		{"list containers", auth.PermListContainers, auth.Resource{}},
		{"see leases and list blobs", auth.PermListBlobs, auth.Resource{Container: container}},
		{"read blobs", auth.PermGetBlob, auth.Resource{Container: container, Blob: "any"}},
		{"delete blobs", auth.PermDeleteBlob, auth.Resource{Container: container, Blob: "any"}},
		{"break leases of blobs", auth.PermBreakLease, auth.Resource{Container: container, Blob: "any"}},
		{"break leases of containers", auth.PermBreakContainerLease, auth.Resource{Container: container}},
		{"create containers", auth.PermCreateContainer, auth.Resource{Container: container}},
	} {
		all = append(all, question{q.what, v.grant.Allow(q.need, q.on) == nil})
	}
	data := map[string]any{"Container": container, "May": all, "Signs": v.grant.Principal.Kind == auth.KindKey && v.session.sas == ""}
	for name, value := range more {
		data[name] = value
	}
	return data
}

// makeSAS makes a signature for the account or a container, shown once.
func (v *view) makeSAS() error {
	account := v.Account(v.session.account)
	if v.grant.Principal.Kind != auth.KindKey || v.session.sas != "" || account == nil || len(account.Keys) == 0 {
		return &refusal{http.StatusForbidden, "A signature is made by those who have the key of the account."}
	}
	hours, err := strconv.Atoi(v.r.PostFormValue("hours"))
	if err != nil || hours < 1 || hours > maxSASHours {
		return &refusal{http.StatusBadRequest, fmt.Sprintf("A signature is good for 1 to %d hours.", maxSASHours)}
	}
	letters := v.r.PostFormValue("permissions")
	if letters == "" || strings.Trim(letters, "racwdxyltfmeopi") != "" {
		return &refusal{http.StatusBadRequest, "The permissions are letters of racwdl and so on."}
	}
	container := strings.TrimSpace(v.r.PostFormValue("container"))
	s := auth.SAS{Version: sasVersion, Permissions: letters, Protocol: "https,http", Expiry: auth.FormatTime(v.Now().Add(time.Duration(hours) * time.Hour))}
	url := v.Endpoint + "/" + account.Name + "/"
	if container == "" {
		s.Services, s.Types = "b", "sco"
		url += "?" + auth.SignAccountSAS(s, account.Name, account.Keys[0])
	} else {
		s.Resource = "c"
		url += container + "?" + auth.SignServiceSAS(s, account.Name, container, "", account.Keys[0])
	}
	return v.render("access.html", v.accessPage(map[string]any{"Made": url}))
}

func (v *view) health() error {
	started := v.Service.Journal.Started()
	facts := []Fact{
		{"History of leases since", started.UTC().Format("2006-01-02 15:04:05 UTC")},
		{"Up for", span(v.now.Sub(started))},
		{"Requests that wait for a lease", strconv.Itoa(v.Service.Waiting())},
	}
	if v.Facts != nil {
		facts = append(facts, v.Facts()...)
	}
	return v.render("health.html", facts)
}
