// Takes pictures of every page, light, dark and on a phone, into the folder that is named.

import { join } from 'node:path';
import { browse, Server } from './server.js';
import { fill } from './fill.js';

const [folder = '.'] = process.argv.slice(2);
const server = new Server();
await server.start();
const browser = await browse();
try {
  await fill(server);
  for (const [mode, options] of Object.entries({
    light: { viewport: { width: 1280, height: 800 } },
    dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
    phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  })) {
    const page = await (await browser.newContext(options)).newPage();
    await page.goto(server.fresh());
    await page.waitForURL(server.origin + '/');
    for (const [name, path] of Object.entries({
      leases: '/', lease: '/lease?name=jobs/nightly', contention: '/contention', containers: '/containers?container=jobs',
      connect: '/connect', access: '/access', health: '/health',
    })) {
      await page.goto(server.origin + path);
      if (name === 'leases') await page.locator('.live.on').waitFor();
      await page.screenshot({ path: join(folder, `${name}-${mode}.png`) });
    }
    await page.goto(server.origin + '/');
    await page.locator('.live.on').waitFor();
    await page.getByRole('button', { name: 'Break jobs/nightly' }).click({ force: true });
    await page.screenshot({ path: join(folder, `break-${mode}.png`) });
  }
} finally {
  await browser.close();
  await server.stop();
}
