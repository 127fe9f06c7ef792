using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Computation of the host for a function counts as CPU time of the function.</summary>
public sealed class HostTimeTests(EngineFixture fixture)
{
    private const string Key = "await crypto.subtle.importKey('raw', new Uint8Array(16), 'PBKDF2', false, ['deriveBits'])";

    private static GuestLimits Cpu(int milliseconds) => EngineFixture.Limits with { CpuTime = TimeSpan.FromMilliseconds(milliseconds) };

    [Fact]
    public async Task Host_time_is_part_of_the_reported_CPU_time()
    {
        var (result, _) = await fixture.TryAsync(
            $$"""
            async () => (await crypto.subtle.deriveBits({ name: 'PBKDF2', salt: new Uint8Array(8), iterations: 300000, hash: 'SHA-512' }, {{Key}}, 512)).byteLength
            """
        );
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        // No processor does 300,000 rounds in 20 ms; the guest itself takes about 1 ms.
        Assert.True(result.CpuTime > TimeSpan.FromMilliseconds(20), $"{result.CpuTime}");
    }

    [Theory]
    [InlineData("crypto.subtle.deriveBits({ name: 'PBKDF2', salt: new Uint8Array(8), iterations: 100000, hash: 'SHA-512' }, key, 512)")]
    [InlineData("crypto.subtle.deriveBits({ name: 'PBKDF2', salt: new Uint8Array(8), iterations: 1000000, hash: 'SHA-256' }, key, 256)")]
    [InlineData(
        "crypto.subtle.generateKey({ name: 'RSA-OAEP', modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['encrypt', 'decrypt'])"
    )]
    [InlineData("crypto.subtle.digest('SHA-512', new Uint8Array(16 << 20))")]
    public async Task Run_ends_when_its_work_on_the_host_uses_up_its_CPU_time(string work)
    {
        var (result, _) = await fixture.TryAsync(
            $$"""async () => { const key = {{Key}}; for (let i = 0; i < 200; i++) await {{work}}; }""",
            Cpu(200)
        );
        Assert.Equal(RunOutcome.OutOfCpu, result.Outcome);
        Assert.True(result.CpuTime >= TimeSpan.FromMilliseconds(190), $"{result.CpuTime}");
    }

    [Fact]
    public async Task Prime_search_for_a_large_key_stops_when_the_CPU_time_is_used_up()
    {
        var (result, _) = await fixture.TryAsync(
            """
            async () => {
              const one = () => crypto.subtle.generateKey({ name: 'RSA-OAEP', modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['encrypt', 'decrypt']);
              for (let i = 0; i < 20; i++) await one();
            }
            """,
            Cpu(50)
        );
        Assert.Equal(RunOutcome.OutOfCpu, result.Outcome);
        // One such key takes 1 s of CPU time on average.
        Assert.True(result.CpuTime < TimeSpan.FromMilliseconds(400), $"{result.CpuTime}");
    }

    [Theory]
    [InlineData(
        "crypto.subtle.deriveBits({ name: 'PBKDF2', salt: new Uint8Array(4 << 20), iterations: 1, hash: 'SHA-1' }, await crypto.subtle.importKey('raw', new Uint8Array(1), 'PBKDF2', false, ['deriveBits']), 8 * 16000)"
    )]
    [InlineData(
        "crypto.subtle.deriveBits({ name: 'HKDF', salt: new Uint8Array(1), info: new Uint8Array(4 << 20), hash: 'SHA-1' }, await crypto.subtle.importKey('raw', new Uint8Array(1), 'HKDF', false, ['deriveBits']), 8 * 5000)"
    )]
    public async Task Input_hashed_again_for_each_output_block_is_bounded(string work)
    {
        var (_, host) = await fixture.TryAsync(
            $$"""async () => { try { await {{work}}; return 'computed'; } catch (e) { return e.name; } }"""
        );
        Assert.Equal("\"NotSupportedError\"", host.Answer);
    }

    [Fact]
    public async Task Digest_of_a_long_buffer_equals_the_digest_computed_in_steps()
    {
        var (_, host) = await fixture.TryAsync(
            """
            async () => {
              const data = new Uint8Array((3 << 20) + 17).map((_, i) => i);
              const hex = async (bytes) => new Uint8Array(await bytes).toHex();
              const key = await crypto.subtle.importKey('raw', new Uint8Array(8), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
              const signature = await crypto.subtle.sign('HMAC', key, data);
              return [await hex(crypto.subtle.digest('SHA-256', data)), await crypto.subtle.verify('HMAC', key, signature, data)].join();
            }
            """
        );
        var data = new byte[(3 << 20) + 17];
        for (var i = 0; i < data.Length; i++)
            data[i] = (byte)i;
        Assert.Equal($"\"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(data))},true\"", host.Answer);
    }
}
