using System.Text;
using Functions.PgSidecar.Cli;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Installation;

/// <summary>The whole sidecar inside this process, so that an invocation can be timed without HTTP around it.</summary>
internal sealed class InProcessSidecar : IAsyncDisposable
{
    private readonly NpgsqlDataSource dataSource;
    private readonly WebApplication app;
    private readonly Invoker invoker;
    private readonly FunctionCatalog catalog;

    private InProcessSidecar(NpgsqlDataSource dataSource, WebApplication app)
    {
        this.dataSource = dataSource;
        this.app = app;
        invoker = app.Services.GetRequiredService<Invoker>();
        catalog = app.Services.GetRequiredService<FunctionCatalog>();
    }

    /// <summary>Brings the database up to date and starts it.</summary>
    public static async Task<InProcessSidecar> StartAsync(PrivateInstallation installation, CancellationToken cancellationToken)
    {
        var dataSource = Database.CreateDataSource(installation.Options);
        if (await Database.MigrateAsync(dataSource, "hold", NullLogger.Instance, cancellationToken) is null)
            throw new InvalidOperationException("The database could not be migrated.");
        var app = await BuildQuietlyAsync(installation, dataSource, cancellationToken);
        await app.StartAsync(cancellationToken);
        return new InProcessSidecar(dataSource, app);
    }

    /// <summary>What a request to a function would hand to the pipeline.</summary>
    /// <param name="function">The function's name.</param>
    /// <param name="subject">The calling user.</param>
    /// <param name="body">The body, JSON.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Invocation> PrepareAsync(string function, string subject, string body, CancellationToken cancellationToken)
    {
        var deployed = await catalog.FindAsync(function, cancellationToken)
            ?? throw new InvalidOperationException($"{function} is not deployed.");
        var claims = Encoding.UTF8.GetBytes($$"""{"role":"authenticated","sub":"{{subject}}"}""");
        var caller = new Caller("authenticated", subject, claims, null);
        var context = new DefaultHttpContext();
        context.Request.Method = HttpMethods.Post;
        context.Request.Scheme = "http";
        context.Request.Host = new HostString("127.0.0.1");
        context.Request.Path = "/functions/v1/invoke/" + function;
        context.Request.Headers.ContentType = "application/json";
        return new Invocation
        {
            Id = Guid.CreateVersion7(),
            Function = deployed,
            Trigger = TriggerKind.Http,
            Caller = caller,
            RequestId = "benchmark",
            Envelope = RequestEnvelope.Write(
                context,
                deployed,
                caller,
                "benchmark",
                null,
                streams: false,
                TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()
            ),
            Body = Encoding.UTF8.GetBytes(body),
        };
    }

    /// <summary>Invokes a function; an answer that is none ends the run.</summary>
    public async Task<ReadOnlyMemory<byte>> InvokeAsync(Invocation invocation)
    {
        var result = await invoker.InvokeAsync(invocation with { Id = Guid.CreateVersion7() }, CancellationToken.None);
        return result.Outcome == InvocationOutcome.Succeeded
            ? result.Body
            : throw new InvalidOperationException($"{invocation.Function.Name}: {result.Code} {result.Message}");
    }

    /// <summary>Builds it while there is no console: its log would run into the table. It keeps the writers that it finds now.</summary>
    private static async Task<WebApplication> BuildQuietlyAsync(
        PrivateInstallation installation,
        NpgsqlDataSource dataSource,
        CancellationToken cancellationToken
    )
    {
        var (output, error) = (Console.Out, Console.Error);
        Console.SetOut(TextWriter.Null);
        Console.SetError(TextWriter.Null);
        try
        {
            return await Sidecar.BuildAsync(installation.Options, dataSource, cancellationToken);
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
        await dataSource.DisposeAsync();
    }
}
