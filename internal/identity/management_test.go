package identity

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestManagementEndpointDescribesTheCloud(t *testing.T) {
	w := newWorld(t)
	ask := func(version string) (int, map[string]any) {
		return serve(w.Handler(), httptest.NewRequest("GET", w.Base+"/metadata/endpoints?api-version="+version, nil))
	}
	for _, version := range []string{"2015-01-01", "2022-09-01", "2023-11-01", "2099-01-01", "2024-07-01-preview"} {
		status, cloud := ask(version)
		if status != 200 {
			t.Fatalf("%s: %d %v", version, status, cloud)
		}
		login := cloud["authentication"].(map[string]any)
		if login["loginEndpoint"] != w.Base+"/adfs" || login["audiences"].([]any)[0] != w.Base {
			t.Errorf("%s: %v", version, cloud)
		}
	}
	if _, cloud := ask("2022-09-01"); cloud["resourceManager"] != w.Base || cloud["suffixes"].(map[string]any)["storage"] != "core.windows.net" {
		t.Errorf("cloud %v", cloud)
	}
	w2 := httptest.NewRecorder()
	w.Handler().ServeHTTP(w2, httptest.NewRequest("GET", w.Base+"/metadata/endpoints?api-version=2020-06-01", nil))
	if text := w2.Body.String(); w2.Code != 200 || !strings.HasPrefix(text, "[{") {
		t.Errorf("the list of clouds: %d %s", w2.Code, text)
	}
	for _, version := range []string{"", "newest", "2022-09-01&api-version=2015-01-01"} {
		if status, _ := ask(version); status != 400 {
			t.Errorf("version %q: %d", version, status)
		}
	}
}

func TestSubscriptionsNeedATokenForTheManagementEndpoint(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	token := func(w *world, resource string) string {
		text, _, err := w.Token(&w.principals[0], resource, bySecret)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	old := token(w, w.Base)
	w.now = w.now.Add(tokenLifetime + skew)
	other.now = w.now
	status, granted := w.post("/adfs/oauth2/token", form("client_secret", secret, "scope", w.Base+"/.default"))
	if status != 200 {
		t.Fatalf("%d %v", status, granted)
	}
	for name, tc := range map[string]struct {
		authorization string
		want          int
	}{
		"good":        {"Bearer " + granted["access_token"].(string), 200},
		"none":        {"", 401},
		"no token":    {"Bearer e30.e30.e30", 401},
		"expired":     {old, 401},
		"for storage": {token(w, "https://storage.azure.com"), 401},
		"other key":   {token(other, w.Base), 401},
	} {
		r := httptest.NewRequest("GET", w.Base+"/subscriptions?api-version=2019-11-01", nil)
		r.Header.Set("Authorization", tc.authorization)
		status, out := serve(w.Handler(), r)
		if list, ok := out["value"].([]any); status != tc.want || ok != (status == 200) || len(list) != 0 {
			t.Errorf("%s: %d %v, want %d", name, status, out, tc.want)
		}
	}
}
