package smime_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phimail/sdk/crypt/smime/smimetest"
)

// bouncyCastleClient is a program of ours around Bouncy Castle, in testdata. It
// answers each line with a line, so that one Java serves all messages.
type bouncyCastleClient struct {
	clientDesk

	ask    io.Writer
	answer *bufio.Reader
}

func newBouncyCastleClient(t *testing.T, w *clientWorld) mailClient {
	t.Helper()
	havePeer(t, "javac") // "java" alone can't compile
	jars := []string{"/usr/share/java/bcprov.jar", "/usr/share/java/bcutil.jar", "/usr/share/java/bcpkix.jar"}
	for _, jar := range jars {
		if _, err := os.Stat(jar); err != nil && mustHavePeers() {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
	}
	source, err := filepath.Abs("testdata/MailClient.java")
	if err != nil {
		t.Fatal(err)
	}
	c := bouncyCastleClient{clientDesk: newClientDesk(t, w)}
	cmd := exec.CommandContext(t.Context(), havePeer(t, "java"), "-XX:TieredStopAtLevel=1", "-cp", strings.Join(jars, ":"), source)
	cmd.Dir = c.dir
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // the end of its input or of the test's context ends it
	})
	c.ask, c.answer = in, bufio.NewReader(out)
	version, err := c.answer.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c.version = "Bouncy Castle 1.72"
	c.of("Bouncy Castle", []byte(version))
	return c
}

func (bouncyCastleClient) cannot(clientForm) inability { return inability{} }

func (c bouncyCastleClient) do(words ...string) error {
	if _, err := fmt.Fprintln(c.ask, strings.Join(words, " ")); err != nil {
		return err
	}
	line, err := c.answer.ReadString('\n')
	if err == nil && line != "ok\n" {
		err = errors.New(line)
	}
	return err
}

func (c bouncyCastleClient) receive(t *testing.T, message []byte, whom smimetest.Kind) ([]byte, error) {
	t.Helper()
	der, err := unwrap(message)
	if err != nil {
		return nil, err
	}
	c.write(t, "message.p7m", der)
	if err := c.do("decrypt", "message.p7m", string(whom)+".p12", "inside.eml"); err != nil {
		return nil, err
	}
	inside, err := c.fresh("inside.eml")
	if err != nil {
		return nil, err
	}
	content, err := c.unpack(t, inside)
	if err != nil {
		return nil, err
	}
	return content, c.do("verify", "signature.p7s", "content", "root.pem")
}
