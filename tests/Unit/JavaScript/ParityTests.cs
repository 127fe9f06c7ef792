using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>The web platform in the sandbox behaves as that of Node.js: the same scripts give the same results.</summary>
public sealed class ParityTests(EngineFixture fixture)
{
    [Theory]
    [InlineData("crypto.mjs")]
    [InlineData("bounds.mjs")]
    [InlineData("compression.mjs")]
    [InlineData("streams.mjs")]
    [InlineData("packages.mjs")]
    [InlineData("applications.mjs")]
    [InlineData("web.mjs")]
    public async Task Script_gives_the_same_results_as_in_Node(string script)
    {
        var (node, sandbox) = await Parity.RunAsync(fixture, script);
        Assert.True(node.Count > 5, $"{script} has only {node.Count} results");
        var differences = Parity.Differences(node, sandbox);
        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }

    [Trait("Speed", "Slow")]
    [Fact]
    public async Task Keys_generated_on_one_side_work_on_the_other()
    {
        var node = JsonNode.Parse(await Parity.NodeAsync("exchange-run.mjs", "produce"))!;
        var bundle = (string)node["bundle"]!;
        var readHere = await Parity.InSandboxAsync(fixture, bundle, node["results"]!.ToJsonString());
        var madeHere = await Parity.InSandboxAsync(fixture, bundle, "{}");
        var readThere = (JsonObject)JsonNode.Parse(await Parity.NodeAsync("exchange-run.mjs", "check", madeHere.ToJsonString()))!;
        var differences = Parity.Differences(readThere, readHere);
        Assert.True(differences.Count == 0, string.Join('\n', differences));
        // Each list begins with the checks that must succeed. A forged message and a truncated signature are the fifth and sixth.
        Assert.All(readHere, entry =>
            Assert.StartsWith(
                entry.Value!.AsArray().Count == 7 ? "[true,true,true,true,false,false" : "[true,",
                entry.Value.ToJsonString(),
                StringComparison.Ordinal
            )
        );
    }

    [Theory]
    [InlineData("RSA-PSS")]
    [InlineData("RSASSA-PKCS1-v1_5")]
    public async Task RSA_signature_without_its_leading_zero_is_invalid(string algorithm)
    {
        // About one signature in 200 begins with a zero byte. Without it the number is the same, but the signature is invalid.
        using var program = await fixture.CompileAsync(
            $$"""
            const { subtle } = crypto;
            const algorithm = { name: '{{algorithm}}', hash: 'SHA-256', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), saltLength: 32 };
            export const handler = async () => {
              const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ['sign', 'verify']);
              for (let number = 0; ; number++) {
                const message = new TextEncoder().encode(`message ${number}`);
                const signature = new Uint8Array(await subtle.sign(algorithm, privateKey, message));
                if (signature[0] === 0)
                  return [await subtle.verify(algorithm, publicKey, signature, message), await subtle.verify(algorithm, publicKey, signature.slice(1), message)];
              }
            };
            """
        );
        var host = new GuestHost();
        await fixture.RunAsync(program, host);
        Assert.Equal("[true,false]", host.Answer);
    }

    [Fact]
    public async Task An_RSA_ciphertext_without_its_leading_zero_is_not_decrypted()
    {
        using var program = await fixture.CompileAsync(
            """
            const { subtle } = crypto;
            const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) };
            export const handler = async () => {
              const { publicKey, privateKey } = await subtle.generateKey(algorithm, false, ['encrypt', 'decrypt']);
              for (;;) {
                const hidden = new Uint8Array(await subtle.encrypt(algorithm, publicKey, new Uint8Array([7])));
                if (hidden[0] === 0) {
                  const open = new Uint8Array(await subtle.decrypt(algorithm, privateKey, hidden));
                  return [open[0], await subtle.decrypt(algorithm, privateKey, hidden.slice(1)).then(() => 'decrypted', error => error.name)];
                }
              }
            };
            """
        );
        var host = new GuestHost();
        await fixture.RunAsync(program, host);
        Assert.Equal("""[7,"OperationError"]""", host.Answer);
    }

    [Fact]
    public async Task Cheap_cryptography_works_and_keys_can_be_imported_while_the_module_loads()
    {
        using var program = await fixture.CompileAsync(
            """
            const { subtle } = crypto;
            const digest = new Uint8Array(await subtle.digest('SHA-256', new TextEncoder().encode('abc'))).toHex();
            const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
            const jwk = { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0', d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' };
            const key = await subtle.importKey('jwk', jwk, algorithm, true, ['sign']);
            const refused = await subtle.generateKey(algorithm, true, ['sign']).catch(error => error.message);
            export const handler = async () => {
              const { d, ...open } = await subtle.exportKey('jwk', key);
              const verifier = await subtle.importKey('jwk', { ...open, key_ops: ['verify'] }, algorithm, true, ['verify']);
              const signature = await subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, new Uint8Array(3));
              return [digest, open.x === jwk.x && d === jwk.d, await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, verifier, signature, new Uint8Array(3)), refused];
            };
            """
        );
        var host = new GuestHost();
        await fixture.RunAsync(program, host);
        Assert.Equal(
            """["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",true,true,"crypto.subtle with key pairs, PBKDF2 or many bytes is not available while the module loads; use it inside the handler."]""",
            host.Answer
        );
    }
}
