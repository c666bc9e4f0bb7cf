// The strict authorization server of the tests: oidc-provider, with the rules that matter switched
// on. Settings come as one JSON object in SETTINGS: port, redirect_uris, access_ttl.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.env.SETTINGS);
const issuer = `http://127.0.0.1:${settings.port}`;

const shared = {
  redirect_uris: settings.redirect_uris,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};

const provider = new Provider(issuer, {
  clients: [
    {
      ...shared,
      client_id: 'valet-basic',
      // Characters that HTTP Basic must form-encode first (RFC 6749 section 2.3.1).
      client_secret: 'basic secret: 100% +/&=~',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      ...shared,
      client_id: 'valet-post',
      client_secret: 'post-secret',
      token_endpoint_auth_method: 'client_secret_post',
    },
    { ...shared, client_id: 'valet-public', token_endpoint_auth_method: 'none' },
    {
      client_id: 'valet-device',
      token_endpoint_auth_method: 'none',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
      response_types: [],
      redirect_uris: [],
    },
    {
      client_id: 'valet-robot',
      client_secret: 'robot secret: 100% +/&=~',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      scope: 'api:read',
    },
  ],
  scopes: ['openid', 'offline_access', 'api:read', 'api:write'],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Person ${id}`, preferred_username: id }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    registration: { enabled: true },
    // Tokens for a resource that is named (RFC 8707), as JWTs that the resource can read.
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'api:read api:write',
        accessTokenFormat: 'jwt',
        accessTokenTTL: settings.access_ttl,
      }),
      useGrantedResource: () => true,
    },
  },
  cookies: { keys: ['of the tests only'] },
  ttl: {
    AccessToken: settings.access_ttl,
    AuthorizationCode: 60,
    ClientCredentials: settings.access_ttl,
    DeviceCode: 600,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 3600,
  },
});

// Each refresh is counted, and takes as long as one over a network does.
let refreshes = 0;
provider.use(async (ctx, next) => {
  if (ctx.path === '/-/refreshes') {
    ctx.body = { refreshes };
    return;
  }
  await next();
  if (ctx.oidc?.route === 'token' && ctx.oidc.params?.grant_type === 'refresh_token') {
    refreshes += 1;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

createServer(provider.callback()).listen(settings.port, '127.0.0.1', () => console.log('ready'));
process.stdin.on('close', () => process.exit(0)).resume();
