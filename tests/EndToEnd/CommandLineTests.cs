using System.Buffers.Text;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>The commands of <c>pgfn</c> that need no database.</summary>
public sealed class CommandLineTests : IDisposable
{
    private const string Secret = "a secret of the command line's own tests";

    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("pgfn-");

    public void Dispose() => directory.Delete(recursive: true);

    [Fact]
    public async Task A_token_is_signed_with_the_secret_of_the_environment()
    {
        var (code, output, _) = await RunAsync(["token", "--sub", "ada", "--role", "editor", "--hours", "2"], ("PGFN_JWT_SECRET", Secret));

        Assert.Equal(0, code);
        var claims = Verify(output.Trim());
        Assert.Equal("ada", claims.GetProperty("sub").GetString());
        Assert.Equal("editor", claims.GetProperty("role").GetString());
        Assert.Equal(2 * 3600, claims.GetProperty("exp").GetInt64() - claims.GetProperty("iat").GetInt64());
    }

    [Fact]
    public async Task A_token_is_signed_with_the_secret_of_a_file()
    {
        var file = Path.Combine(directory.FullName, "jwt");
        await File.WriteAllTextAsync(file, Secret + "\n", TestContext.Current.CancellationToken);

        var (code, output, _) = await RunAsync(["token"], ("PGFN_JWT_SECRET_FILE", file));

        Assert.Equal(0, code);
        Verify(output.Trim());
    }

    [Fact]
    public async Task A_token_is_signed_with_the_secret_of_pgfn_json()
    {
        await File.WriteAllTextAsync(
            Path.Combine(directory.FullName, "pgfn.json"),
            $$"""{"PGFN_JWT_SECRET":"{{Secret}}"}""",
            TestContext.Current.CancellationToken
        );

        var (code, output, _) = await RunAsync(["token"]);

        Assert.Equal(0, code);
        Verify(output.Trim());
    }

    [Theory]
    [InlineData("", "PGFN_JWT_SECRET: is not set; tokens are signed with it.")]
    [InlineData("short", "PGFN_JWT_SECRET is 5 bytes long; at least 32 are needed (openssl rand -base64 48 makes one).")]
    public async Task Token_command_without_a_usable_secret_prints_one_line_and_no_token(string secret, string line)
    {
        var (code, output, error) = await RunAsync(["token"], ("PGFN_JWT_SECRET", secret));

        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Equal(line, error.TrimEnd());
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1000000")]
    [InlineData("soon")]
    public async Task Invalid_lifetime_is_refused(string hours)
    {
        var (code, output, error) = await RunAsync(["token", "--hours", hours], ("PGFN_JWT_SECRET", Secret));

        Assert.Equal(1, code);
        Assert.Contains("--hours", error, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled exception", error, StringComparison.Ordinal);
        Assert.DoesNotContain("eyJ", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData]
    [InlineData("help")]
    [InlineData("--help")]
    public async Task Help_lists_the_commands(params string[] arguments)
    {
        var (code, output, _) = await RunAsync(arguments);

        Assert.Equal(0, code);
        foreach (var command in new[] { "serve", "migrate", "deploy", "token" })
            Assert.Matches($@"(?m)^  {command}\b", output);
    }

    [Fact]
    public async Task Each_command_has_its_own_help()
    {
        var (code, output, _) = await RunAsync(["help", "token"]);

        Assert.Equal(0, code);
        Assert.Contains("--sub", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Version_option_prints_a_version()
    {
        var (code, output, _) = await RunAsync(["--version"]);

        Assert.Equal(0, code);
        Assert.Matches(@"^\d+\.\d+\.\d+$", output.Trim());
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), .. arguments])
        {
            WorkingDirectory = directory.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("PGFN_JWT_SECRET");
        start.Environment.Remove("PGFN_JWT_SECRET_FILE");
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Verifies the signature independently of the product and returns the claims.</summary>
    private static JsonElement Verify(string token)
    {
        var parts = token.Split('.');
        Assert.Equal(3, parts.Length);
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"));
        Assert.Equal(Base64Url.EncodeToString(signature), parts[2]);
        return JsonSerializer.Deserialize<JsonElement>(Base64Url.DecodeFromChars(parts[1]));
    }
}
