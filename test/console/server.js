// Runs the built server for a test of the console, and a browser before it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

export const binary = process.env.LEASEHOLD_BINARY ?? new URL('../../bin/leasehold', import.meta.url).pathname;

/** A server of development on a data folder of its own. */
export class Server {
  constructor() {
    this.data = mkdtempSync(join(tmpdir(), 'leasehold-console-'));
    this.listen = '127.0.0.1:0';
    this.console = '127.0.0.1:0';
  }

  /** Starts the server, the second time on the addresses of the first. */
  async start() {
    this.process = spawn(binary, ['serve', '--dev', '--data', this.data, '--listen', this.listen, '--console-listen', this.console,
      '--identity-listen', 'off', '--authority-listen', 'off', '--proxy-listen', 'off', '--tls-listen', 'off'], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: this.process.stdout })) {
      const ready = line.match(/ready on http:\/\/(\S+?),/);
      if (ready) this.listen = ready[1];
      const link = line.match(/^console: (\S+)/);
      if (link) {
        this.link = link[1];
        this.origin = new URL(this.link).origin;
        this.console = '127.0.0.1:' + new URL(this.link).port;
        break;
      }
    }
    const sas = execFileSync(binary, ['sas', '--dev', '--permissions', 'racwdl', '--endpoint', `http://${this.listen}/devstoreaccount1`], { encoding: 'utf8' });
    this.account = new URL(sas.trim());
  }

  async kill() {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.data, { recursive: true });
  }

  /** A fresh link that signs in. */
  fresh() {
    return execFileSync(binary, ['console', '--data', this.data], { encoding: 'utf8' }).trim();
  }

  /** Sends a request of the protocol as a client would, and fails unless it succeeds. */
  async ask(method, path, headers = {}, query = '') {
    const url = `${this.account.origin}/devstoreaccount1/${path}?${query}&${this.account.search.slice(1)}`;
    const r = await fetch(url, { method, headers: { 'x-ms-version': '2024-11-04', ...headers } });
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${await r.text()}`);
    return r;
  }

  /** Makes a blob, if there is none, and leases it; returns the lease's ID. */
  async lease(name, seconds, headers = {}) {
    const container = name.split('/')[0], path = name.split('/').map(encodeURIComponent).join('/');
    await this.ask('PUT', container, {}, 'restype=container').catch(() => {});
    await this.ask('PUT', path, { 'x-ms-blob-type': 'BlockBlob' }).catch(() => {});
    const r = await this.ask('PUT', path, { 'x-ms-lease-action': 'acquire', 'x-ms-lease-duration': String(seconds), ...headers }, 'comp=lease');
    return r.headers.get('x-ms-lease-id');
  }

  async act(name, action, headers = {}) {
    await this.ask('PUT', name, { 'x-ms-lease-action': action, ...headers }, 'comp=lease');
  }

  /** The lease state of a blob. */
  async state(name) {
    return (await this.ask('HEAD', name)).headers.get('x-ms-lease-state');
  }
}

/** Starts the browser of the system. */
export const browse = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});
