using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration;

/// <summary>
/// A configuration as its files give it, for all nodes. <see cref="ForNode"/> says what it means on one of them.
/// </summary>
public sealed class DrbdConfiguration
{
    private readonly ConfigurationSyntax _syntax;
    private readonly string _path;

    private DrbdConfiguration(string path, ConfigurationSyntax syntax)
    {
        _path = path;
        _syntax = syntax;
    }

    /// <summary>Reads a drbd.conf and what it includes.</summary>
    /// <exception cref="ConfigurationException">A file cannot be read or understood.</exception>
    public static DrbdConfiguration Read(string path, IConfigurationFiles files)
    {
        var syntax = new ConfigurationSyntax();
        new FileLoader(files, syntax).LoadMain(path);
        return new DrbdConfiguration(path, syntax);
    }

    /// <summary>Remarks that do not make the configuration unusable, each beginning with <c>FILE:LINE: </c>.</summary>
    public IReadOnlyList<string> Warnings => _syntax.Warnings;

    /// <summary>What one node has to do.</summary>
    /// <exception cref="ConfigurationException">A resource of this node is incomplete or contradicts itself or another
    /// one.</exception>
    public NodeConfiguration ForNode(string node) => new NodeResolver(_path, _syntax, node).Resolve();
}
