using System.CommandLine;
using System.Net.Sockets;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// <c>pgfn health</c>: asks the sidecar of this machine or container whether it is ready. A container's health check needs no other program
/// for it.
/// </summary>
internal static class HealthCommand
{
    private const string UnixScheme = "http://unix:";

    /// <summary>The endpoint itself gives up on the database after 2 s.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(4);

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var live = new Option<bool>("--live") { Description = "Ask only whether the process responds, not whether the database does." };
        var command = new Command(
            "health",
            "Ask the sidecar at PGFN_LISTEN whether it is ready. Exit code 0: it is; 1: it is not; 2: a setting is wrong."
        )
        {
            live,
        };
        command.SetAction(
            (parsed, cancellationToken) => AskAsync(parsed.GetValue(live) ? "/health/live" : "/health/ready", cancellationToken)
        );
        return command;
    }

    private static async Task<int> AskAsync(string path, CancellationToken cancellationToken)
    {
        if (Settings.LoadListen() is not { } addresses)
            return Settings.ExitCode;
        using var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false };
        var address = addresses[0];
        if (address.StartsWith(UnixScheme, StringComparison.Ordinal))
        {
            var socketPath = address[UnixScheme.Length..];
            handler.ConnectCallback = (_, token) => ConnectAsync(socketPath, token);
            address = "http://localhost";
        }
        using var http = new HttpClient(handler) { BaseAddress = new Uri(Reachable(address)), Timeout = Timeout };
        try
        {
            using var response = await http.GetAsync(path, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            await (response.IsSuccessStatusCode ? Console.Out : Console.Error).WriteLineAsync(text);
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync($"{addresses[0]} does not answer: {e.Message}");
            return 1;
        }
    }

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>An address to connect to: a sidecar that listens on every interface also does on the loopback one.</summary>
    private static string Reachable(string address)
    {
        foreach (var wildcard in (string[])["+", "*", "0.0.0.0"])
        {
            if (address.StartsWith($"http://{wildcard}:", StringComparison.Ordinal) || address == $"http://{wildcard}")
                return $"http://127.0.0.1{address[$"http://{wildcard}".Length..]}";
        }
        return address.Replace("//[::]", "//[::1]", StringComparison.Ordinal);
    }
}
