"""Takes a finished folder to the Hugging Face Hub; nothing else in the project pushes.

content    what is pushed: files, card, layout
runs       which run a folder holds
opening    what of a folder can be pushed: a dataset (`dataset`), or a model (`model`, `model_cards`)
faults     what goes wrong on the way, in words
manners    the Hub's library quiet, and limited in time
client     calls to the Hub, patient
target     whether a push may go there
change     what is to change there
pushing    the push              access    whether it would be let in
"""
