using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Postgres.Registry;
using Microsoft.AspNetCore.Http.Features;
using Npgsql;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>POST /functions/v1/deploy</c>, <c>multipart/form-data</c> with <c>name</c>, <c>wasm</c> (a file) and, if it wants to, <c>config</c> (the options as
/// JSON): deploys a WebAssembly module and answers when it is compiled. For API keys, and tokens that manage, with the scope <c>deploy</c>.
/// </summary>
internal sealed class DeployEndpoints(RegistryStore registry, ModuleDeployStore modules, ManagementAuthenticator authenticator, DeployPolicy policy)
{
    /// <summary>The largest module that the database can be told to take, and a little for the other parts.</summary>
    private const long MaxRequestBytes = (25 << 20) + (64 << 10);

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<DeployEndpoints>();
        routes.MapPost("/functions/v1/deploy", endpoints.DeployAsync);
    }

    private async Task DeployAsync(HttpContext context)
    {
        // Before anything of the body is read.
        if (await AuthenticateAsync(context) is not { } manager)
            return;
        if (!context.Request.HasFormContentType)
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status415UnsupportedMediaType, "VALIDATION_ERROR", "Send multipart/form-data with name, wasm and config.");
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxRequestBytes;
        var form = await ReadFormAsync(context);
        if (form?.Files["wasm"] is not { } file || form["name"].ToString() is not { Length: > 0 } name)
        {
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "MISSING_REQUIRED", "The parts name and wasm (a file) are needed.");
            return;
        }
        var options = form["config"].ToString() is { Length: > 0 } config ? config : "{}";
        if (DeployPolicy.HostsIn(options) is not { } hosts)
        {
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "VALIDATION_ERROR", "The part config is not JSON.");
            return;
        }
        if (policy.Refuse(manager, name, hosts) is { } refusal)
        {
            await Problem.WriteAsync(context, StatusCodes.Status403Forbidden, "FORBIDDEN", refusal);
            return;
        }
        var module = new byte[file.Length];
        await using (var content = file.OpenReadStream())
            await content.ReadExactlyAsync(module, context.RequestAborted);
        await DeployAsync(context, manager, name, module, options);
    }

    private async Task DeployAsync(HttpContext context, Manager manager, string name, byte[] module, string options)
    {
        try
        {
            var deployed = await modules.DeployAsync(
                name, module, options, manager.Name, manager.KeyId, holdings => policy.Refuse(manager, holdings), context.RequestAborted);
            if (deployed.KeyIsGone)
            {
                await RefuseAsync(context, AuthRefusal.UnknownApiKey);
                return;
            }
            if (deployed.Refusal is { } refusal)
            {
                await Problem.WriteAsync(context, StatusCodes.Status403Forbidden, "FORBIDDEN", refusal);
                return;
            }
            await registry.WaitReadyAsync(name, deployed.Version, context.RequestAborted);
            await AnswerAsync(context, name, deployed.Version, module);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.ProgramLimitExceeded)
        {
            await Problem.WriteAsync(context, StatusCodes.Status413PayloadTooLarge, "PAYLOAD_TOO_LARGE", e.MessageText);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.QueryCanceled)
        {
            await Problem.WriteAsync(context, StatusCodes.Status504GatewayTimeout, "TIMEOUT", e.MessageText);
        }
        catch (PostgresException e) when (IsAboutTheRequest(e.SqlState))
        {
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "VALIDATION_ERROR", e.MessageText);
        }
        catch (NpgsqlException e) when (e is not PostgresException)
        {
            await SayDatabaseIsAwayAsync(context);
        }
    }

    /// <summary>What the functions of SQL raise for names, modules, options and JSON that can't be; and wait_ready, for a module that does not compile.</summary>
    private static bool IsAboutTheRequest(string state) => state
        is PostgresErrorCodes.InvalidName
        or PostgresErrorCodes.InvalidParameterValue
        or PostgresErrorCodes.InvalidTextRepresentation
        or PostgresErrorCodes.UntranslatableCharacter
        or PostgresErrorCodes.CharacterNotInRepertoire
        or PostgresErrorCodes.UndefinedObject
        or PostgresErrorCodes.SyntaxError;

    /// <returns>Null where the request was answered: it has no credential, or none that manages.</returns>
    private async ValueTask<Manager?> AuthenticateAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        ManagementResult result;
        try
        {
            result = await authenticator.AuthenticateAsync(headers.Authorization, headers["X-API-Key"], headers["apikey"], context.RequestAborted);
        }
        catch (NpgsqlException)
        {
            await SayDatabaseIsAwayAsync(context);
            return null;
        }
        if (result.Refusal != AuthRefusal.None)
        {
            await RefuseAsync(context, result.Refusal);
        }
        else if (result.Manager is null)
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status401Unauthorized, "AUTHENTICATION_ERROR",
                "Deploying needs an API key with the scope deploy: select functions.create_api_key('ci', '{deploy}'); send it as Authorization: Bearer, or in X-API-Key.");
        }
        else if (DeployPolicy.RefuseDeploying(result.Manager) is { } refusal)
        {
            await Problem.WriteAsync(context, StatusCodes.Status403Forbidden, "FORBIDDEN", refusal);
            return null;
        }
        return result.Manager;
    }

    private static Task RefuseAsync(HttpContext context, AuthRefusal refusal) =>
        Problem.WriteAsync(context, refusal.Status(), refusal.Code(), refusal.Message());

    private static Task SayDatabaseIsAwayAsync(HttpContext context) =>
        Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "PGFN0503", "The database can't be reached just now.", retryAfter: 1);

    /// <returns>Null where the parts can't be read.</returns>
    private static async Task<IFormCollection?> ReadFormAsync(HttpContext context)
    {
        try
        {
            var limits = new FormOptions { MultipartBodyLengthLimit = MaxRequestBytes, ValueCountLimit = 16, KeyLengthLimit = 64, ValueLengthLimit = 64 << 10 };
            return await new FormFeature(context.Request, limits).ReadFormAsync(context.RequestAborted);
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException)
        {
            return null;
        }
    }

    private static async Task AnswerAsync(HttpContext context, string name, int version, byte[] module)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, $"{name}@{version}");
            writer.WriteString("name"u8, name);
            writer.WriteNumber("version"u8, version);
            writer.WriteString("wasm_hash"u8, Convert.ToHexStringLower(SHA256.HashData(module)));
            writer.WriteString("created_at"u8, context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow());
            writer.WriteEndObject();
        }
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.WrittenCount;
        await context.Response.Body.WriteAsync(json.WrittenMemory, context.RequestAborted);
    }
}
