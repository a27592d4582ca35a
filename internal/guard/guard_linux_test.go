package guard

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envNoGroups keeps a guard of the tests from making a control group.
const envNoGroups = "GUARD_TEST_NO_GROUPS"

func TestMain(m *testing.M) {
	if os.Getenv(envNoGroups) != "" {
		groupsFile = "/dev/null"
	}
	if len(os.Args) > 1 && os.Args[1] == Name {
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// script starts a shell script under a guard with a deadline.
func script(t *testing.T, left, grace time.Duration, text string, env ...string) (*Guard, error) {
	t.Helper()
	o := &Options{Command: []string{"sh", "-c", text}, Env: append(os.Environ(), env...), Until: Now().Add(left), Grace: grace}
	return Start(o)
}

// eachWay runs a test with control groups, where this process may make one, and without.
func eachWay(t *testing.T, f func(t *testing.T, env string)) {
	t.Run("groups", func(t *testing.T) {
		if g := newControlGroup(os.Getpid()); g == nil {
			t.Skip("no control group can be made here: it takes version 2 and the permission")
		} else {
			g.remove()
		}
		f(t, "UNUSED=1")
	})
	t.Run("no groups", func(t *testing.T) { f(t, envNoGroups+"=1") })
}

// descendants is a script with a child in the background, one in a session of its own, and one
// whose parent is gone; none of them ends when it is asked to. They tell the file $FILE that they
// live.
const descendants = `trap "" TERM HUP
one="trap '' TERM HUP; while :; do echo \$0 >>$FILE; sleep 0.01; done"
sh -c "$one" background &
setsid sh -c "$one" session &
(setsid sh -c "$one" orphan &)
sh -c "$one" command`

func TestDescendantsAreGoneAtTheDeadline(t *testing.T) {
	eachWay(t, func(t *testing.T, env string) {
		file := filepath.Join(t.TempDir(), "lines")
		start := time.Now()
		g, err := script(t, time.Second, 100*time.Millisecond, descendants, env, "FILE="+file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := g.Wait()
		if took := time.Since(start); err != nil || !out.Asked || took < 900*time.Millisecond || took > 5*time.Second {
			t.Errorf("%+v, %v after %v", out, err, took)
		}
		nothingIsWritten(t, file, "background", "session", "orphan", "command")
		if _, err := os.Stat(groupOf(g)); err == nil {
			t.Error("the control group is still there")
		}
	})
}

func groupOf(g *Guard) string {
	path, _ := controlGroupPath(g.process.Process.Pid)
	return path
}

// nothingIsWritten fails if one of the writers still lives, or never has.
func nothingIsWritten(t *testing.T, file string, writers ...string) {
	t.Helper()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		if !strings.Contains(string(before), w) {
			t.Errorf("%s has never run", w)
		}
	}
	<-time.After(100 * time.Millisecond)
	if after, _ := os.ReadFile(file); len(after) != len(before) {
		t.Errorf("somebody still writes")
	}
}

func TestDescendantsOfAKilledGuardAreKilled(t *testing.T) {
	eachWay(t, func(t *testing.T, env string) {
		file := filepath.Join(t.TempDir(), "lines")
		g, err := script(t, time.Minute, 0, descendants, env, "FILE="+file)
		if err != nil {
			t.Fatal(err)
		}
		for text := ""; !strings.Contains(text, "orphan") || !strings.Contains(text, "session") || !strings.Contains(text, "background"); {
			<-time.After(10 * time.Millisecond)
			b, _ := os.ReadFile(file)
			text = string(b)
		}
		g.process.Process.Kill()
		if out, err := g.Wait(); !errors.Is(err, ErrKilled) {
			t.Errorf("%+v, %v", out, err)
		}
		nothingIsWritten(t, file, "background", "session", "orphan", "command")
	})
}

// TestStoppedGuardIsKilledByTheKernel: and the command with it.
func TestStoppedGuardIsKilledByTheKernel(t *testing.T) {
	g, err := script(t, 500*time.Millisecond, 0, "exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(100 * time.Millisecond) // it sets its timer after it has started the command
	g.process.Process.Signal(syscall.SIGSTOP)
	start := time.Now()
	out, err := g.Wait()
	if err != nil || !out.Asked || time.Since(start) > 5*time.Second {
		t.Errorf("%+v, %v after %v", out, err, time.Since(start))
	}
}

func TestOutcomes(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		act   func(*Guard)
		code  int
		asked bool
		left  time.Duration // 0: a minute
	}{
		"ends well":        {"exit 0", nil, 0, false, 0},
		"own status":       {"exit 3", nil, 3, false, 0},
		"dies of a signal": {"kill -9 $$", nil, 137, false, 0},
		"passed on":        {"trap 'exit 5' USR1; while :; do sleep 0.01; done", func(g *Guard) { g.Signal(syscall.SIGUSR1) }, 5, false, 0},
		"told to end":      {"trap 'exit 6' TERM; while :; do sleep 0.01; done", (*Guard).End, 6, true, 0},
		"killed":           {"trap '' TERM; while :; do sleep 0.01; done", (*Guard).Kill, 137, true, 0},
		"prolonged":        {"sleep 2", func(g *Guard) { g.Extend(Now().Add(time.Minute)) }, 0, false, 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready := filepath.Join(t.TempDir(), "ready")
			var text string
			if before, loop, ok := strings.Cut(tc.text, "; while"); ok {
				text = before + "; touch " + ready + "; while" + loop
			} else {
				text = "touch " + ready + "; " + tc.text
			}
			g, err := script(t, cmp.Or(tc.left, time.Minute), time.Second, text)
			if err != nil {
				t.Fatal(err)
			}
			if tc.act != nil {
				for _, err := os.Stat(ready); err != nil; _, err = os.Stat(ready) {
					<-time.After(5 * time.Millisecond)
				}
				tc.act(g)
			}
			if out, err := g.Wait(); err != nil || out.Code != tc.code || out.Asked != tc.asked {
				t.Errorf("%+v, %v, want status %d, asked %t", out, err, tc.code, tc.asked)
			}
		})
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	_, err := Start(&Options{Command: []string{"./no-such-command"}, Until: Now().Add(time.Minute)})
	var start *StartError
	if !errors.As(err, &start) || !strings.Contains(start.Error(), "no-such-command") {
		t.Errorf("got %v", err)
	}
}

// TestFilesOfTheCallerReachTheCommand: the pipes of the guard take no number that whoever started
// the program may have used, and do not reach the command.
func TestFilesOfTheCallerReachTheCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	const list = `for f in /proc/$$/fd/*; do echo $f; done | sed -n 's,.*/fd/\([0-9]\{3\}\)$,\1,p'` // the lower ones are the shell's
	want, err := exec.Command("sh", "-c", list).Output()
	if err != nil {
		t.Fatal(err)
	}
	g, err := script(t, time.Minute, 0, "exec >"+file+"; "+list)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := g.Wait(); err != nil || out.Code != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
		t.Errorf("the command has the files %q, %v; without a guard it has %q", got, err, want)
	}
}

func TestUnifiedMount(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mountinfo")
	text := "25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n" +
		"31 25 0:26 /user.slice /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if mount, root, ok := unifiedMount(file); !ok || mount != "/sys/fs/cgroup" || root != "/user.slice" {
		t.Errorf("%q, %q, %t", mount, root, ok)
	}
	if _, _, ok := unifiedMount(file + ".none"); ok {
		t.Error("found one in a file that is not there")
	}
}
