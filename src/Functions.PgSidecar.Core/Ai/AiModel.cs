namespace Functions.PgSidecar.Core.Ai;

/// <summary>A model that a caller may ask for.</summary>
/// <param name="Name">The name to ask with; a pattern such as <c>openai/*</c> where the route is one.</param>
/// <param name="Provider">The provider that is asked first.</param>
/// <param name="IsPattern">Whether the name is a pattern.</param>
internal sealed record AiModel(string Name, string Provider, bool IsPattern);
