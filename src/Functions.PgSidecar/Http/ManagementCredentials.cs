using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Management;

namespace Functions.PgSidecar.Http;

/// <summary>Finds out who manages by a request, and answers those that may not.</summary>
internal sealed class ManagementCredentials(ManagementAuthenticator authenticator)
{
    /// <summary>The manager of a request, which has the scope.</summary>
    /// <param name="context">The request.</param>
    /// <param name="scope">One of <see cref="ManagementScopes"/>.</param>
    /// <param name="activity">What the request does, as the beginning of a sentence: "Deploying".</param>
    /// <returns>Null if the request was refused, and is answered.</returns>
    public async ValueTask<Manager?> AuthenticateAsync(HttpContext context, string scope, string activity)
    {
        var headers = context.Request.Headers;
        var result = await authenticator.AuthenticateAsync(
            headers.Authorization,
            headers["X-API-Key"],
            headers["apikey"],
            context.RequestAborted
        );
        if (result.Refusal != AuthRefusal.None)
        {
            await Problem.RefuseAsync(context, result.Refusal);
            return null;
        }
        if (result.Manager is null)
        {
            await Problem.RequireCredentialsAsync(
                context,
                $"{activity} requires an API key with the scope {scope}: select functions.create_api_key('ci', '{{{scope}}}'); "
                    + "send it as Authorization: Bearer, or in X-API-Key."
            );
            return null;
        }
        if (DeployPolicy.RefuseScope(result.Manager, scope, activity) is { } refusal)
        {
            await Problem.WriteAsync(context, StatusCodes.Status403Forbidden, "FORBIDDEN", refusal);
            return null;
        }
        return result.Manager;
    }
}
