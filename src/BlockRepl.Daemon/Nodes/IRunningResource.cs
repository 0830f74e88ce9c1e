using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.FrontEnd;

namespace BlockRepl.Daemon.Nodes;

/// <summary>A resource that is up: the engine's, or a test's.</summary>
internal interface IRunningResource : IDisposable
{
    IReadOnlyList<IVolumeDevice> Devices { get; }

    /// <summary>The status changed other than in a counter; on any thread.</summary>
    event Action<IReadOnlyList<VolumeStatus>>? StatusChanged;

    /// <summary>What is not the core's is this from now on: handlers, startup, global settings.</summary>
    void Adopt(ResourceConfiguration configuration, GlobalSettings global);

    Task<CommandResult> AttachAsync(int volume);

    Task<CommandResult> ExecuteAsync(AdminCommand command);

    Task<IReadOnlyList<VolumeStatus>> GetStatusAsync();
}

/// <summary>Makes a resource run, diskless and StandAlone.</summary>
internal interface IResourceFactory
{
    IRunningResource Start(ResourceConfiguration configuration, GlobalSettings global);
}
