using BlockRepl.Core;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Engine;

/// <summary>
/// Tells status changes to subscribers on a pool thread, one at a time; the newest replaces what was not yet told.
/// </summary>
internal sealed class StatusObservers(string resource, ILogger logger)
{
    private readonly Lock _lock = new();
    private IReadOnlyList<VolumeStatus>? _next;
    private bool _running;

    public event Action<IReadOnlyList<VolumeStatus>>? StatusChanged;

    public bool HasSubscribers => StatusChanged is not null;

    public void Publish(IReadOnlyList<VolumeStatus> status)
    {
        lock (_lock)
        {
            _next = status;
            if (_running)
            {
                return;
            }

            _running = true;
        }

        ThreadPool.QueueUserWorkItem(static self => self.Tell(), this, preferLocal: false);
    }

    private void Tell()
    {
        while (true)
        {
            IReadOnlyList<VolumeStatus> status;
            lock (_lock)
            {
                if (_next is null)
                {
                    _running = false;
                    return;
                }

                (status, _next) = (_next, null);
            }

            try
            {
                StatusChanged?.Invoke(status);
            }
            catch (Exception e)
            {
                Log.ObserverFailed(logger, resource, e.Message);
            }
        }
    }
}
